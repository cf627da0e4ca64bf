package dhcp4

import (
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp4"
)

// Append writes the reply of an outcome at the end of dst. h must be what was decided about.
func (d *Decider) Append(dst []byte, h Heard, o *Outcome) ([]byte, error) {
	w := &d.writer
	w.Reset(h.View)
	if !o.Reply.BOOTP {
		w.PutType(o.Reply.Type)
		w.PutAddr(wire.ServerID, o.Reply.ServerID)
		if id, ok := h.View.Get(wire.ClientID); ok {
			w.Put(wire.ClientID, id) // RFC 6842
		}
	}
	if o.Reply.Type == wire.NAK {
		w.PutText(wire.Message, o.Reason.Text())
		if h.View.GIAddr().IsValid() {
			w.Flags |= wire.FlagBroadcast // RFC 2131 section 4.3.2: the relay must not send it to an address
		}
		return w.Append(dst)
	}
	w.YIAddr = o.Reply.YIAddr
	if o.Reply.Type == wire.ACK {
		w.CIAddr = h.View.CIAddr()
	}
	if o.Reply.Lease > 0 && !o.Reply.BOOTP {
		d.times(w, h.View, o)
	}
	w.Put(wire.SubnetMask, o.scope.options[wire.SubnetMask])
	if o.Decision.Reason == boot.Answered {
		d.boot(w, h, o)
	}
	d.options(w, h.View, o)
	return w.Append(dst)
}

// times writes the lease and, where the client asks, when it is to renew it.
func (d *Decider) times(w *wire.Writer, v *wire.View, o *Outcome) {
	w.PutUint32(wire.LeaseTime, seconds(o.Reply.Lease))
	all := !v.Has(wire.ParameterList)
	part := func(f float64) uint32 { return seconds(time.Duration(float64(o.Reply.Lease) * f)) }
	if t1, t2 := part(o.scope.Renew), part(o.scope.Rebind); t1 == 0 || t1 >= t2 || t2 >= seconds(o.Reply.Lease) {
		return // the last seconds of a lease; a client makes of them what it can (RFC 2131 section 4.4.5)
	}
	if all || v.Asks(wire.RenewalTime) {
		w.PutUint32(wire.RenewalTime, part(o.scope.Renew))
	}
	if all || v.Asks(wire.RebindingTime) {
		w.PutUint32(wire.RebindingTime, part(o.scope.Rebind))
	}
}

func seconds(d time.Duration) uint32 {
	return uint32(min(max(int64(d/time.Second), 0), int64(^uint32(0))))
}

// options writes what the scope, the rule and the reservation say, in the order in which the client asks
// for it (RFC 2132 section 9.8), and then what goes to everybody. What they say counts more than what
// boot wrote.
func (d *Decider) options(w *wire.Writer, v *wire.View, o *Outcome) {
	s := o.scope
	host := s.Hosts[o.Ask.ID]
	rule := d.p.cfg.Rules[o.Decision.Answer.Rule]
	said := [...][]Option{host.Options, rule.Options, s.Options}
	for _, list := range said {
		for _, x := range list {
			if w.Has(x.Code) && !ours(x.Code) {
				w.Put(x.Code, find(x.Code, s, &host, &rule))
			}
		}
	}
	add := func(code wire.Code) {
		if w.Has(code) || ours(code) {
			return
		}
		if data := find(code, s, &host, &rule); data != nil {
			w.Put(code, data)
		} else if code == wire.HostName && host.Name != "" {
			w.PutText(code, host.Name)
		}
	}
	for _, c := range v.ParameterList() {
		add(wire.Code(c))
	}
	if !v.Has(wire.ParameterList) {
		for _, code := range s.rest {
			add(code)
		}
	}
	for _, list := range said {
		for _, x := range list {
			if x.Always {
				add(x.Code)
			}
		}
	}
}

// find returns the value of an option: the reservation's, else the rule's, else the scope's.
func find(c wire.Code, s *scope, host *Host, rule *Rule) []byte {
	for _, list := range [...][]Option{host.Options, rule.Options} {
		for i := range list {
			if list[i].Code == c {
				return list[i].Data
			}
		}
	}
	return s.options[c]
}
