package proxydhcp

import (
	"fmt"
	"net/netip"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
)

func (s *Server) emit(ev boot.Event) {
	if s.d.Emit == nil {
		return
	}
	ev.Time, ev.Node, ev.Role = s.d.Now(), s.cfg.Node, Role
	s.d.Emit(ev)
}

// ignore tells of a packet that was not decided about.
func (s *Server) ignore(p *port, r boot.Reason, h Heard, detail string) {
	ev := boot.Event{Kind: boot.Ignored, If: p.name, Reason: r, Peer: text(h.From), Local: text(h.To), Detail: detail}
	if h.Packet != nil {
		ev.MAC, _ = h.Packet.MAC()
		ev.XID = h.Packet.XID
	}
	s.emit(ev)
}

// tellSeen tells what the packet is, and, if it gets no answer, why.
func (s *Server) tellSeen(h Heard, o Outcome) {
	ev := event(h, o)
	if o.Seen == boot.RequestSeen {
		ev.Kind, ev.Reason, ev.Detail = boot.RequestSeen, o.Reason, requestDetail(h.Packet, o.Client.Addr)
		s.emit(ev)
		return
	}
	if o.Seen != "" {
		ev.Kind = o.Seen
		s.emit(ev)
	}
	if o.Reply == nil {
		ev.Kind, ev.Reason, ev.Detail = boot.Ignored, o.Reason, o.Detail()
		s.emit(ev)
	}
}

// tellSent tells of an answer, sent or not.
func (s *Server) tellSent(h Heard, o Outcome, detail string) {
	ev := event(h, o)
	ev.Kind, ev.Reason, ev.Detail = boot.OfferSent, o.Reason, detail
	if o.Seen == boot.BootRequestSeen {
		ev.Kind = boot.BootReplySent
	}
	a := o.Decision.Answer
	ev.Rule, ev.File = a.Rule, a.File
	if len(a.Servers) > 0 {
		ev.Server = a.Servers[0].Name
	}
	s.emit(ev)
}

// event is what all events about one packet have in common.
func event(h Heard, o Outcome) boot.Event {
	c := o.Client
	ev := boot.Event{
		MAC: c.MAC, UUID: c.UUID, IP: c.Addr, Peer: text(h.From), Local: text(h.To), If: h.Link.Name,
		XID: h.Packet.XID, Firmware: c.Firmware, Relay: c.Relay, Network: o.Decision.Answer.Network,
		Media: boot.MediaOf(c.UserClass),
	}
	if c.Arch != boot.ArchUnknown {
		ev.Arch = &c.Arch
	}
	return ev
}

func requestDetail(p *dhcp4.Packet, a netip.Addr) string {
	switch server := p.Addr(dhcp4.ServerID); {
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
