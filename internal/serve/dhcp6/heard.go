package dhcp6

import (
	"net/netip"
	"slices"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp6"
)

// Heard is a packet together with the way on which it came.
type Heard struct {
	View *wire.View
	From netip.AddrPort
	To   netip.Addr // an address of ours, or a group
	Link Link
}

// Link is what an answer needs to know of an interface.
type Link struct {
	Name  string
	Index int
	Addrs []netip.Prefix // IPv6, link-local ones as well
}

// within reports whether the interface has an address in a subnet.
func (l Link) within(subnet netip.Prefix) bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return subnet.Contains(p.Addr()) })
}

// global reports whether the interface has an address that is good beyond its link.
func (l Link) global() bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return !p.Addr().IsLinkLocalUnicast() })
}

// direct reports whether the client itself sent the packet, and no relay.
func (h Heard) direct() bool { return h.View.First() == nil }

// client is the address that the client sent from: its first relay says it.
func (h Heard) client() netip.Addr {
	if r := h.View.First(); r != nil {
		return r.Peer
	}
	return h.From.Addr().WithZone("")
}

// reply is where the answer goes (RFC 8415 section 18.3.10 and 19.3): to the client's port, or to the relay's, which a
// relay may have chosen (RFC 8357 section 5.2).
func (h Heard) reply() netip.AddrPort {
	if h.direct() {
		return netip.AddrPortFrom(h.From.Addr(), wire.ClientPort)
	}
	if h.View.Relays()[0].Options.Has(wire.RelayPort) {
		return h.From
	}
	return netip.AddrPortFrom(h.From.Addr(), wire.ServerPort)
}

// machine is the client's hardware address, as far as it can be known: what its first relay saw (RFC 6939), what its
// link-local address was made from (RFC 4291 appendix A), or what its DUID was made from, which may be of
// another of its interfaces (RFC 8415 section 11). Kea's mac-sources are the same.
func (h Heard) machine() boot.MAC {
	if r := h.View.First(); r != nil {
		if htype, b := r.LinkLayer(); htype == 1 {
			if mac, ok := wire.GoodMAC(b); ok {
				return mac
			}
		}
	}
	if a := h.client(); a.IsLinkLocalUnicast() {
		if b, ok := wire.EUI64(a); ok {
			if mac, ok := wire.GoodMAC(b[:]); ok {
				return mac
			}
		}
	}
	mac, _ := h.View.ClientID().MAC()
	return mac
}
