// Package neigh asks the kernel which neighbours it knows by ARP (arp(7)). It changes nothing, and
// sends nothing: who was not spoken to is not known.
package neigh

import (
	"context"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"

	"surefoot/internal/boot"
)

// MAC returns the Ethernet address that an IPv4 neighbour of the current network namespace gave by
// ARP in the last seconds; ok is false for one that did not answer, or is behind a router. What the
// kernel remembers of longer ago says nothing of now: who was sent to just now is asked again by the kernel, after
// 5 s (delay_first_probe_time of arp(7)), and MAC waits for that until ctx ends.
func MAC(ctx context.Context, a netip.Addr) (mac boot.MAC, ok bool) {
	for {
		mac, state := look(a)
		if state&netlink.NUD_REACHABLE != 0 {
			return mac, true
		}
		if state&(netlink.NUD_DELAY|netlink.NUD_PROBE) == 0 {
			return boot.MAC{}, false
		}
		select {
		case <-ctx.Done():
			return boot.MAC{}, false
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// look returns what the kernel knows of a neighbour; the state is 0 if nothing.
func look(a netip.Addr) (boot.MAC, int) {
	list, err := netlink.NeighList(0, netlink.FAMILY_V4)
	if err != nil {
		return boot.MAC{}, 0
	}
	for _, n := range list {
		ip, good := netip.AddrFromSlice(n.IP)
		if good && ip.Unmap() == a && len(n.HardwareAddr) == len(boot.MAC{}) {
			return boot.MAC(n.HardwareAddr), n.State
		}
	}
	return boot.MAC{}, 0
}
