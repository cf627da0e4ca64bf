package conntrack

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Requests of a pair are meant, and neither transfers nor other protocols nor what others were asked.
func TestFilter(t *testing.T) {
	vip, dead, client := netip.MustParseAddr("10.2.0.20"), netip.MustParseAddr("10.2.0.31"), "10.1.0.10"
	f := filter{pairs: map[Pair]bool{{vip, dead}: true}, proto: unix.IPPROTO_UDP}
	flow := func(proto uint8, src, dst, replySrc, replyDst string) *netlink.ConntrackFlow {
		return &netlink.ConntrackFlow{
			Forward: netlink.IPTuple{Protocol: proto, SrcIP: net.ParseIP(src), DstIP: net.ParseIP(dst)},
			Reverse: netlink.IPTuple{Protocol: proto, SrcIP: net.ParseIP(replySrc), DstIP: net.ParseIP(replyDst)},
		}
	}
	for _, c := range []struct {
		name string
		flow *netlink.ConntrackFlow
		want bool
	}{
		{"a request", flow(unix.IPPROTO_UDP, client, "10.2.0.20", "10.2.0.31", client), true},
		{"of snat", flow(unix.IPPROTO_UDP, client, "10.2.0.20", "10.2.0.31", "10.2.0.11"), true},
		{"a transfer", flow(unix.IPPROTO_UDP, "10.2.0.31", client, client, "10.2.0.20"), false},
		{"another backend", flow(unix.IPPROTO_UDP, client, "10.2.0.20", "10.2.0.32", client), false},
		{"another address", flow(unix.IPPROTO_UDP, client, "10.2.0.21", "10.2.0.31", client), false},
		{"TCP", flow(unix.IPPROTO_TCP, client, "10.2.0.20", "10.2.0.31", client), false},
		{"nothing", &netlink.ConntrackFlow{}, false},
	} {
		if got := f.MatchConntrackFlow(c.flow); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
