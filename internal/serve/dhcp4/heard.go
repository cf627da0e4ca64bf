package dhcp4

import (
	"net/netip"
	"slices"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp4"
)

// Heard is a packet together with the way on which it came.
type Heard struct {
	View     *wire.View
	From, To netip.AddrPort // of the IP header
	Link     *Link          // the interface
}

// Link is what an answer needs to know of an interface.
type Link struct {
	Name  string
	MAC   boot.MAC
	Addrs []netip.Prefix // the primary address first; none: nobody is answered
	Own   []netip.Addr   // this host's addresses on other interfaces, where relays may ask it
}

// Unicast reports whether the packet was sent to this host alone.
func (h Heard) Unicast() bool { return h.Link.has(h.To.Addr()) }

func (l *Link) has(a netip.Addr) bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr() == a }) || slices.Contains(l.Own, a)
}

// onLink reports whether an address is in one of the interface's own subnets.
func (l *Link) onLink(a netip.Addr) bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Contains(a) })
}

var everyone = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// forUs reports whether the packet is for this host: a broadcast, or one to an address of ours. What the
// interface sees besides is on its way to another server, through this host.
func (h Heard) forUs() bool {
	to := h.To.Addr()
	return to == everyone || h.Unicast() || wire.IsBroadcast(to, h.Link.Addrs)
}

// ownAddr returns the address by which this node is known to the client: the one that was asked, or one
// in the subnet of the scope, or the interface's first, which must have one.
func (h Heard) ownAddr(subnet netip.Prefix) netip.Addr {
	if h.Unicast() {
		return h.To.Addr()
	}
	for _, p := range h.Link.Addrs {
		if subnet.Contains(p.Addr()) {
			return p.Addr()
		}
	}
	return h.Link.Addrs[0].Addr()
}

// underRelay returns the relay's option 82, nil if no relay forwarded the packet: what it asks for
// there, a client may not ask for.
func (h Heard) underRelay() wire.Agent {
	if !h.View.GIAddr().IsValid() {
		return nil
	}
	return h.View.Agent()
}

// place is an address in the subnet of the client, and whether it was heard on the wire itself.
func (h Heard) place() (at netip.Addr, wired bool) {
	if a := h.underRelay().Addr(wire.AgentLink); a.IsValid() {
		return a, false // RFC 3527
	}
	if a := h.View.Addr(wire.SubnetSelection); a.IsValid() {
		return a, false // RFC 3011
	}
	if a := h.View.GIAddr(); a.IsValid() {
		return a, false
	}
	if a := h.View.CIAddr(); a.IsValid() && h.Unicast() {
		return a, false
	}
	return netip.Addr{}, true
}

// scopesFor returns the scopes of the client's wire, the one that comes first in front; none: no scope of
// ours.
func (p *plan) scopesFor(h Heard) []*scope {
	at, wired := h.place()
	if !wired {
		if s := p.scopeAt(at); s != nil {
			return s.peers
		}
		return nil
	}
	var all []*scope
	for _, prefix := range h.Link.Addrs {
		switch s := p.scopeAt(prefix.Addr()); {
		case s == nil || slices.Contains(all, s):
		case all == nil:
			all = s.peers
		default: // the interface has an address in a second subnet of the wire
			all = append(slices.Clip(all), s.peers...)
		}
	}
	return all
}
