// Package neigh asks the kernel which neighbours it knows by ARP (arp(7)). It changes nothing, and
// sends nothing: who was not spoken to is not known.
package neigh

import (
	"net/netip"

	"github.com/vishvananda/netlink"

	"surefoot/internal/boot"
)

// MAC returns the Ethernet address that an IPv4 neighbour of the current network namespace gave by
// ARP in the last seconds; ok is false for one that did not answer, or is behind a router. What the
// kernel remembers of longer ago says nothing of now.
func MAC(a netip.Addr) (mac boot.MAC, ok bool) {
	list, err := netlink.NeighList(0, netlink.FAMILY_V4)
	if err != nil {
		return boot.MAC{}, false
	}
	for _, n := range list {
		ip, good := netip.AddrFromSlice(n.IP)
		if good && ip.Unmap() == a && n.State&netlink.NUD_REACHABLE != 0 && len(n.HardwareAddr) == len(mac) {
			return boot.MAC(n.HardwareAddr), true
		}
	}
	return boot.MAC{}, false
}
