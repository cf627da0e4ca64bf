package link

import (
	"net/netip"
	"strings"
	"testing"
)

func TestRouteTo(t *testing.T) {
	r, err := RouteTo(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	if r.If != "lo" || r.Gateway.IsValid() || r.Source != netip.MustParseAddr("127.0.0.1") || r.MTU < 1500 {
		t.Errorf("%+v", r)
	}
	if s := r.String(); !strings.Contains(s, "interface lo, direct, from 127.0.0.1, MTU ") {
		t.Errorf("in words: %s", s)
	}
}
