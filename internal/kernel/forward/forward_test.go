package forward

import (
	"net/netip"
	"testing"
)

func TestSettings(t *testing.T) {
	four := wanted(netip.MustParseAddr("10.2.0.20"), "eth0.100")
	if len(four) != 3 || four[0].String() != "net.ipv4.ip_forward=1" || four[2].path() != "/proc/sys/net/ipv4/conf/eth0.100/send_redirects" {
		t.Errorf("%v", four)
	}
	six := wanted(netip.MustParseAddr("fd02::20"), "eth0")
	if len(six) != 1 || six[0].path() != "/proc/sys/net/ipv6/conf/all/forwarding" {
		t.Errorf("%v", six)
	}
	for _, s := range Missing(netip.MustParseAddr("10.2.0.20"), "") {
		if s.Is == "" || s.Is == s.Want || s.Why == "" {
			t.Errorf("%+v", s)
		}
	}
}
