package proxydhcp

import (
	"fmt"
	"net/netip"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// RouteKind is the kind of socket that a reply leaves by.
type RouteKind uint8

const (
	// RouteFrame is a raw Ethernet frame, to a machine that has no address yet. The kernel's own
	// way to it would need an entry in the ARP table, which a thousand booting machines fill.
	RouteFrame RouteKind = iota + 1
	// RouteIP is a raw IPv4 packet from port 67, which another server of this host may hold.
	RouteIP
	// RouteBoot is the UDP socket of port 4011.
	RouteBoot
)

// Route is where a reply goes and how.
type Route struct {
	Kind     RouteKind
	Src, Dst netip.AddrPort
	DstMAC   boot.MAC // for RouteFrame
}

// routeOffer chooses the way of an offer as RFC 2131 section 4.1 says (F15). Since a ProxyDHCP
// offer has no yiaddr, "unicast to yiaddr" becomes a frame to the client's MAC whose IP
// destination is everyone.
func routeOffer(req *dhcp4.Packet, c boot.Client, l Link, own netip.Addr) Route {
	src := netip.AddrPortFrom(own, dhcp4.ServerPort)
	switch {
	case c.Relay.IsValid():
		return Route{Kind: RouteIP, Src: src, Dst: netip.AddrPortFrom(c.Relay, dhcp4.ServerPort)}
	case c.Addr.IsValid():
		return Route{Kind: RouteIP, Src: src, Dst: netip.AddrPortFrom(c.Addr, dhcp4.ClientPort)}
	}
	r := Route{
		Kind: RouteFrame, Src: src, DstMAC: c.MAC,
		Dst: netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), dhcp4.ClientPort),
	}
	if req.Broadcast() {
		r.DstMAC = frame.Broadcast
	}
	return r
}

// String says the way in words.
func (r Route) String() string {
	switch {
	case r.Kind == RouteFrame && r.DstMAC == frame.Broadcast:
		return "by broadcast"
	case r.Kind == RouteFrame:
		return fmt.Sprintf("as a frame to %s", r.DstMAC)
	case r.Kind == RouteIP && r.Dst.Port() == dhcp4.ServerPort:
		return fmt.Sprintf("to the relay %s", r.Dst.Addr())
	}
	return fmt.Sprintf("to %s", r.Dst)
}
