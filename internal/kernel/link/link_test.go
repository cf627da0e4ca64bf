package link

import (
	"errors"
	"net/netip"
	"testing"
)

func TestByNameLoopback(t *testing.T) {
	l, err := ByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if l.Index == 0 || l.MTU == 0 || !l.MAC.IsZero() {
		t.Errorf("lo = %+v, want an index, an MTU and no MAC", l)
	}
	want := netip.MustParsePrefix("127.0.0.1/8")
	if len(l.Addrs) == 0 || l.Addrs[0] != want {
		t.Errorf("addresses of lo = %v, want %v first", l.Addrs, want)
	}
}

func TestByNameMissing(t *testing.T) {
	_, err := ByName("nosuch0")
	var missing *MissingError
	if !errors.As(err, &missing) || missing.Name != "nosuch0" {
		t.Fatalf("ByName(nosuch0) = %v, want a MissingError", err)
	}
}
