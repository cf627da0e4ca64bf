package app

import (
	"fmt"
	"strings"

	"surefoot/internal/config"
)

// dhcpListens says where the DHCP server takes packets, and what it gives there.
func (s *setup) dhcpListens() []string {
	var out []string
	for _, i := range s.Node.Interfaces {
		out = append(out, i+": DHCP broadcasts and relays (67)")
	}
	for _, d := range s.DHCP.Scopes {
		out = append(out, poolLine(d, len(reservations(s.Config, d.Network))))
	}
	return out
}

// poolLine says what a network gives.
func poolLine(d config.DHCPScope, reserved int) string {
	size := 0
	var ranges []string
	for _, r := range d.Ranges {
		size += r.Size()
		ranges = append(ranges, r.String())
	}
	for _, x := range d.Exclude {
		size -= x.Size() // ranges hold what is excluded, near enough for people
	}
	text := d.Network + ": reservations only"
	if len(ranges) > 0 {
		text = fmt.Sprintf("%s: %d addresses, %s", d.Network, max(size, 0), strings.Join(ranges, ", "))
	}
	if reserved > 0 {
		text += fmt.Sprintf(", %d reservations", reserved)
	}
	return text + ", lease " + strings.TrimSuffix(strings.TrimSuffix(d.Lease.String(), "0s"), "0m")
}

// dhcpBanner are the lines of the DHCP server at the start.
func (s *setup) dhcpBanner() []string {
	if !s.has(roleDHCP) || len(s.DHCP.Scopes) == 0 {
		return nil
	}
	if len(s.Node.Interfaces) == 0 {
		return []string{"  dhcp         off: no interface is named (--interface IF)"}
	}
	out := []string{"  dhcp         " + strings.Join(s.Node.Interfaces, ", ") + ": broadcasts and relays (67); leases in " + s.DHCP.Leases}
	for _, l := range s.dhcpListens()[len(s.Node.Interfaces):] {
		out = append(out, "               "+l)
	}
	return out
}

// proxyIdle reports that this node has no ProxyDHCP, and is not meant to: it gives addresses.
func (s *setup) proxyIdle() bool { return !s.has(roleProxy) && s.has(roleDHCP) }
