package dhcp4

import (
	"fmt"
	"net/netip"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp4"
)

func (s *Server) emit(ev boot.Event) {
	if s.d.Emit == nil {
		return
	}
	ev.Time, ev.Node, ev.Role = s.d.Now(), s.node, Role
	s.d.Emit(ev)
}

// ignore tells of a packet that was not decided about.
func (s *Server) ignore(p *port, r boot.Reason, h Heard, detail string) {
	if s.d.Emit == nil {
		return
	}
	ev := boot.Event{Kind: boot.Ignored, If: p.name, Reason: r, Peer: text(h.From), Local: text(h.To), Detail: detail}
	if h.View.Len() > 0 && r == boot.RateLimited {
		ev.MAC, _ = h.View.MAC()
		ev.XID = h.View.XID()
	}
	s.emit(ev)
}

// tellSeen tells what the packet is, and, if it gets no answer, why.
func (s *Server) tellSeen(h Heard, o *Outcome) {
	if s.d.Emit == nil {
		return
	}
	ev := event(h, o)
	if o.Seen != "" {
		if ev.Kind = o.Seen; o.Seen == boot.RequestSeen {
			ev.Detail = requestDetail(h.View, o.Client.Addr)
		}
		s.emit(ev)
	}
	switch {
	case o.Ended.Addr.IsValid():
		ev.Kind, ev.IP, ev.Reason, ev.Detail = boot.AddressEnded, o.Ended.Addr, boot.Answered, o.Ended.State.String()
	case o.Reply.Type == 0 && !o.Reply.BOOTP:
		ev.Kind, ev.Reason, ev.Detail = boot.Ignored, o.Reason, o.Detail()
	default:
		return
	}
	s.emit(ev)
}

// tellSent tells of an answer, sent or not.
func (s *Server) tellSent(h Heard, o *Outcome, detail string) {
	if s.d.Emit != nil {
		s.emit(s.sent(h, o, detail))
	}
}

// sent is the event of an answer.
func (s *Server) sent(h Heard, o *Outcome, detail string) boot.Event {
	if s.d.Emit == nil {
		return boot.Event{}
	}
	ev := event(h, o)
	ev.Reason = o.Reason
	if ev.Detail = o.Detail(); detail != "" {
		ev.Detail += ", " + detail
	}
	if o.Reply.YIAddr.IsValid() {
		ev.IP = o.Reply.YIAddr
	}
	switch {
	case o.Reply.Type == wire.Offer && o.PXE:
		ev.Kind = boot.OfferSent
	case o.Reply.Type == wire.Offer:
		ev.Kind = boot.AddressOffered
	case o.Reply.Type == wire.NAK:
		ev.Kind = boot.AddressRefused
	default:
		ev.Kind = boot.AddressGiven
	}
	if a := o.Decision.Answer; o.Decision.Reason == boot.Answered {
		ev.Rule, ev.File = a.Rule, a.File
		ev.Server = a.Servers[0].Name
	}
	return ev
}

// event is what all events about one packet have in common.
func event(h Heard, o *Outcome) boot.Event {
	c := &o.Client
	ev := boot.Event{
		MAC: c.MAC, UUID: c.UUID, IP: c.Addr, Peer: text(h.From), Local: text(h.To), If: h.Link.Name,
		XID: h.View.XID(), Firmware: c.Firmware, Relay: c.Relay, Network: o.Scope,
	}
	if c.Arch != boot.ArchUnknown {
		arch := c.Arch
		ev.Arch = &arch
	}
	return ev
}

func requestDetail(v *wire.View, a netip.Addr) string {
	switch server := v.Addr(wire.ServerID); {
	case a.IsValid() && server.IsValid():
		return fmt.Sprintf("takes %s from %s", a, server)
	case a.IsValid():
		return fmt.Sprintf("asks for %s", a)
	}
	return ""
}

func text(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
