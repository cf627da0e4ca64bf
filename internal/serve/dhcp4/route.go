package dhcp4

import (
	"net/netip"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// Route is where a reply goes and how.
type Route struct {
	Frame    bool // a raw Ethernet frame; else for the kernel to find the way of
	Near     bool // to a relay on the wire from which it asked
	Src, Dst netip.AddrPort
	DstMAC   boot.MAC // of a frame
}

// route chooses the way of a reply as RFC 2131 section 4.1 says (F15). A machine without an address is
// reached by a raw frame, never through the ARP table, which a thousand booting machines fill (Q6).
func (d *Decider) route(h Heard, o *Outcome) Route {
	v := h.View
	own := h.ownAddr(o.scope.Subnet)
	r := Route{Src: netip.AddrPortFrom(own, wire.ServerPort)}
	if gi := v.GIAddr(); gi.IsValid() {
		port := wire.ServerPort
		if h.underRelay().Has(wire.AgentRelayPort) {
			port = h.From.Port() // RFC 8357 section 4
		}
		r.Dst, r.Near = netip.AddrPortFrom(gi, port), h.Link.onLink(gi)
		return r
	}
	mac, ethernet := v.MAC()
	nak := o.Reply.Type == wire.NAK
	if a := o.has(v); a.IsValid() && !nak {
		r.Dst = netip.AddrPortFrom(a, wire.ClientPort)
		if r.Frame, r.DstMAC = ethernet && h.Link.onLink(a), mac; r.Frame && o.scope.Broadcast {
			r.DstMAC, r.Dst = frame.Broadcast, netip.AddrPortFrom(everyone, wire.ClientPort)
		}
		return r
	}
	r.Frame = true
	if nak || !ethernet || v.Broadcast() || o.scope.Broadcast {
		r.DstMAC, r.Dst = frame.Broadcast, netip.AddrPortFrom(everyone, wire.ClientPort)
		return r
	}
	r.DstMAC, r.Dst = mac, netip.AddrPortFrom(o.Reply.YIAddr, wire.ClientPort)
	return r
}

// has is the address that the client has and is reached at.
func (o *Outcome) has(v *wire.View) netip.Addr {
	if a := v.CIAddr(); a.IsValid() {
		return a
	}
	if v.Type() == wire.Inform {
		return o.Client.Addr
	}
	return netip.Addr{}
}

// String says the way in words.
func (r Route) String() string { return string(r.appendTo(nil)) }

func (r Route) appendTo(b []byte) []byte {
	switch {
	case r.Frame && r.DstMAC == frame.Broadcast:
		return append(b, "by broadcast"...)
	case r.Frame:
		return append(append(b, "as a frame to "...), r.DstMAC.String()...)
	case r.Dst.Port() != wire.ClientPort:
		return r.Dst.Addr().AppendTo(append(b, "to the relay "...))
	}
	return r.Dst.AppendTo(append(b, "to "...))
}
