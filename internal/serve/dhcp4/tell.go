package dhcp4

import (
	"net/netip"
	"sync/atomic"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp4"
)

// emit tells of an event, which is of this moment if it has no time.
func (s *Server) emit(ev *boot.Event) {
	if s.d.Emit == nil {
		return
	}
	if ev.Time.IsZero() {
		ev.Time = s.d.Now()
	}
	ev.Node, ev.Role = s.node, Role
	s.d.Emit(*ev)
}

// ignore tells of a packet that was not decided about.
func (s *Server) ignore(p *port, r boot.Reason, h Heard, detail string) {
	if s.d.Emit == nil {
		return
	}
	ev := boot.Event{Kind: boot.Ignored, If: p.name, Reason: r, Peer: s.from.of(h.From), Local: s.to.of(h.To), Detail: detail}
	if h.View.Len() > 0 && r == boot.RateLimited {
		ev.MAC, _ = h.View.MAC()
		ev.XID = h.View.XID()
	}
	s.emit(&ev)
}

// tellSeen tells what the packet is, and, if it gets no answer, why.
func (s *Server) tellSeen(now time.Time, h Heard, o *Outcome) {
	silent := o.Reply.Type == 0 && !o.Reply.BOOTP
	if s.d.Emit == nil || o.Seen == "" && !silent && !o.Ended.Addr.IsValid() {
		return
	}
	var ev boot.Event
	s.event(&ev, &h, o)
	ev.Time = now
	if o.Seen != "" {
		if ev.Kind = o.Seen; o.Seen == boot.RequestSeen {
			ev.Detail = requestDetail(h.View, o.Client.Addr)
		}
		s.emit(&ev)
	}
	switch {
	case o.Ended.Addr.IsValid():
		ev.Kind, ev.IP, ev.Reason, ev.Detail = boot.AddressEnded, o.Ended.Addr, boot.Answered, o.Ended.State.String()
	case silent:
		ev.Kind, ev.Reason, ev.Detail = boot.Ignored, o.Reason, o.Detail()
	default:
		return
	}
	s.emit(&ev)
}

// tellSent tells of an answer, sent or not.
func (s *Server) tellSent(now time.Time, h Heard, o *Outcome, detail string) {
	if s.d.Emit != nil {
		var ev boot.Event
		s.sent(&ev, &h, o, detail)
		ev.Time = now
		s.emit(&ev)
	}
}

// sent makes the event of an answer.
func (s *Server) sent(ev *boot.Event, h *Heard, o *Outcome, detail string) {
	if s.d.Emit == nil {
		return
	}
	s.event(ev, h, o)
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
}

// event makes what all events about one packet have in common.
func (s *Server) event(ev *boot.Event, h *Heard, o *Outcome) {
	c := &o.Client
	*ev = boot.Event{
		MAC: c.MAC, UUID: c.UUID, IP: c.Addr, Peer: s.from.of(h.From), Local: s.to.of(h.To), If: h.Link.Name,
		XID: h.View.XID(), Firmware: c.Firmware, Relay: c.Relay, Network: o.Scope,
		Media: boot.MediaOf(c.UserClass),
	}
	if c.Arch != boot.ArchUnknown {
		arch := c.Arch
		ev.Arch = &arch
	}
}

func requestDetail(v *wire.View, a netip.Addr) string {
	switch server := v.Addr(wire.ServerID); {
	case a.IsValid() && server.IsValid():
		return "takes " + a.String() + " from " + server.String()
	case a.IsValid():
		return "asks for " + a.String()
	}
	return ""
}

// texts remembers how the last address was written: most packets come from nobody, to everybody, or by one
// relay.
type texts struct{ last atomic.Pointer[written] }

type written struct {
	a    netip.AddrPort
	text string
}

func (t *texts) of(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	if w := t.last.Load(); w != nil && w.a == a {
		return w.text
	}
	w := &written{a, a.String()}
	t.last.Store(w)
	return w.text
}
