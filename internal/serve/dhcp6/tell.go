package dhcp6

import (
	"fmt"
	"net/netip"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp6"
)

// tellSeen tells what the packet is, and, if it gets no answer, why.
func (s *Server) tellSeen(h Heard, o *Outcome) {
	if s.d.Emit == nil {
		return
	}
	ev := event(h, o)
	if o.Seen != "" {
		ev.Kind = o.Seen
		if o.Seen == boot.RequestSeen {
			for ia := range h.View.Options().IAs() {
				if a := ia.Addr(); a.IsValid() {
					ev.Detail = fmt.Sprintf("takes %s", a)
					break
				}
			}
		}
		s.emit(ev)
	}
	for _, r := range o.Ended {
		end := event(h, o)
		end.Kind, end.IP, end.Reason, end.Detail = boot.AddressEnded, r.Addr, boot.Answered, r.State.String()
		s.emit(end)
	}
	if o.Reply == 0 {
		ev.Kind, ev.Reason, ev.Detail = boot.Ignored, o.Reason, h.View.Type().String()
		s.emit(ev)
	}
}

func (s *Server) tell(ev boot.Event) {
	if ev.Kind != "" {
		s.emit(ev)
	}
}

// sent is the event of an answer. An answer to a release or to a question that gives nothing is told of by its
// request.
func (s *Server) sent(h Heard, o *Outcome, detail string) boot.Event {
	ev := event(h, o)
	a, _ := o.First()
	if ev.Reason = o.Reason; a.IsValid() {
		ev.IP = a
	}
	if ev.Detail = o.Detail(); detail != "" {
		ev.Detail = detail
	}
	switch t := h.View.Type(); {
	case o.Reason == boot.SendFailed:
		ev.Kind = boot.Ignored
	case t == wire.Release, t == wire.Decline:
		return boot.Event{}
	case t == wire.InformationRequest && o.Boots, o.Reply == wire.Advertise && o.Boots && a.IsValid():
		ev.Kind = boot.OfferSent
	case o.Reply == wire.Advertise && a.IsValid():
		ev.Kind = boot.AddressOffered
	case a.IsValid(), t == wire.InformationRequest, t == wire.Confirm && o.Status == wire.Success:
		ev.Kind = boot.AddressGiven
	default:
		ev.Kind = boot.AddressRefused
	}
	if d := o.Decision; o.Boots && d.Reason == boot.Answered && (a.IsValid() || h.View.Type() == wire.InformationRequest) {
		ev.Rule, ev.File, ev.Server = d.Answer.Rule, d.Answer.File, d.Answer.Servers[0].Name
	}
	return ev
}

// event is what all events about one packet have in common.
func event(h Heard, o *Outcome) boot.Event {
	c := &o.Client
	ev := boot.Event{
		MAC: c.MAC, UUID: c.UUID, Peer: text(h.From), If: h.Link.Name, XID: h.View.XID(),
		Firmware: c.Firmware, Relay: c.Relay, Network: o.Scope,
	}
	if h.To.IsValid() {
		ev.Local = netip.AddrPortFrom(h.To, wire.ServerPort).String()
	}
	if c.Arch != boot.ArchUnknown {
		arch := c.Arch
		ev.Arch = &arch
	}
	return ev
}

func text(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
