package dhcp6

import (
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp6"
)

// maxIAs is how many associations of one message get an address: machines have one or two.
const maxIAs = 4

// ask says to the Book who asks, and where.
func (d *Decider) ask(now time.Time, h Heard, s *scope, ia wire.IA, o *Outcome) lease.Ask {
	duid := h.View.ClientID()
	iaid := d.association(duid, ia, o.Boots)
	a := lease.Ask{
		Scope: s.Name, MAC: o.Client.MAC, XID: h.View.XID(), Host: h.View.Options().Name(), Relay: h.View.Link(),
		Circuit: holderOf(duid, iaid), Class: o.Client.VendorClass[:min(len(o.Client.VendorClass), maxClass)],
		Arch: uint16(o.Client.Arch), Want: ia.Addr(),
		Only: d.only,
	}
	a.ID = d.identity(now, s, o.Client.MAC, duid, iaid)
	for i := range o.Bindings { // two associations of one message
		if b := &o.Bindings[i]; b.Ask.ID == a.ID && b.Ask.Scope == s.Name {
			a.ID, a.Circuit = lease.DUID(duid, ia.IAID), holderOf(duid, ia.IAID)
		}
	}
	return a
}

// maxClass is what is kept of a vendor class, in bytes.
const maxClass = 64

// other is an association that gets nothing here: temporary addresses, prefixes, or one too many (RFC 8415 section
// 18.3.9 wants each told of).
func other(ia wire.IA) Binding {
	b := Binding{IA: bare(ia), Status: wire.NoAddrsAvail, Reason: boot.NoFreeAddress}
	if ia.Code == wire.IAPD {
		b.Status = wire.NoPrefixAvail
	}
	return b
}

// solicit answers with an offer, or with the address itself where both sides want that (RFC 8415 section 18.3.1).
func (d *Decider) solicit(now time.Time, h Heard, scopes []*scope, o *Outcome) {
	o.Reply, o.Reason = wire.Advertise, boot.NoFreeAddress
	if h.View.Options().Has(wire.RapidCommit) && !scopes[0].NoRapid {
		o.Reply, o.Rapid = wire.Reply, true
	}
	if !hasIA(h.View.Options()) { // nothing that could be given
		o.Reply, o.Rapid, o.Reason = 0, false, boot.OtherMessage
		return
	}
	for ia := range h.View.Options().IAs() {
		if ia.Code != wire.IANA || len(o.Bindings) >= maxIAs {
			o.Bindings = append(o.Bindings, other(ia))
			continue
		}
		b := d.give(now, h, scopes, ia, o, o.Rapid)
		if b.Reason == boot.Answered {
			o.Reason = boot.Answered
		} else if o.Reason == boot.NoFreeAddress {
			o.Reason = b.Reason
		}
		o.Bindings = append(o.Bindings, b)
	}
	if o.Rapid && o.Reason != boot.Answered { // "otherwise ... as if no Rapid Commit option were included"
		o.Reply, o.Rapid = wire.Advertise, false
	}
	switch o.Reason {
	case boot.StoreRefused, boot.ScopeUnknown, boot.StarvationLimit:
		o.Reply = 0 // another node may have more to say
	}
}

// give finds an address for an association, and takes it for good with commit.
func (d *Decider) give(now time.Time, h Heard, scopes []*scope, ia wire.IA, o *Outcome, commit bool) Binding {
	var b Binding
	for _, s := range scopes {
		b = Binding{IA: bare(ia), Ask: d.ask(now, h, s, ia, o)}
		if b.Reason = d.admit(now, h, s, b.Ask.ID); b.Reason != boot.Answered {
			o.use(s)
			break
		}
		b.Grant, b.Reason = d.book.Offer(now, b.Ask)
		if b.Reason == boot.NoFreeAddress {
			continue
		}
		if b.Reason == boot.Answered {
			o.use(s)
		}
		break
	}
	if b.Reason == boot.Answered && commit {
		if b.Grant.Keep { // one claim, of the lease, is enough
			d.book.Committed(b.Grant.Record, noAnswer{})
		}
		b.Ask.Want = b.Grant.Record.Addr
		d.take(now, &b, lease.Selecting)
	}
	if b.Reason != boot.Answered {
		b.Grant, b.Status = lease.Grant{}, wire.NoAddrsAvail
	}
	return b
}

// admit reports whether a machine may have an address, as far as the limits for new ones go.
func (d *Decider) admit(now time.Time, h Heard, s *scope, id lease.ID) boot.Reason {
	if d.guard == nil {
		return boot.Answered
	}
	return d.guard.admit(now, h, s, id, d.book)
}

// take has the Book decide about the address that is asked for.
func (d *Decider) take(now time.Time, b *Binding, how lease.How) {
	if b.Grant, b.Reason = d.book.Request(now, b.Ask, how); b.Reason == boot.Answered {
		d.holders.set(key{b.Ask.Scope, b.Ask.ID}, b.Ask.Circuit)
	}
}

// request answers REQUEST, RENEW and REBIND (RFC 8415 sections 18.3.2, 18.3.4 and 18.3.5).
func (d *Decider) request(now time.Time, h Heard, scopes []*scope, o *Outcome) {
	o.Reason = boot.UnknownLease
	if !hasIA(h.View.Options()) {
		o.Reason = boot.Malformed
		return
	}
	for ia := range h.View.Options().IAs() {
		b, silent := d.extend(now, h, scopes, ia, o)
		if b.Reason == boot.Answered {
			o.Reason = boot.Answered
		} else if o.Reason != boot.Answered && ia.Code == wire.IANA {
			o.Reason = b.Reason
		}
		if !silent {
			o.Bindings, o.Reply = append(o.Bindings, b), wire.Reply
		}
	}
}

// extend decides about one association. It is silent where another node may know better.
func (d *Decider) extend(now time.Time, h Heard, scopes []*scope, ia wire.IA, o *Outcome) (b Binding, silent bool) {
	if ia.Code != wire.IANA || len(o.Bindings) >= maxIAs {
		return other(ia), h.View.Type() == wire.Rebind
	}
	t, s := h.View.Type(), scopes[0]
	want := ia.Addr()
	if !want.IsValid() {
		if t == wire.Rebind {
			return Binding{Reason: boot.UnknownLease}, true
		}
		b = d.give(now, h, scopes, ia, o, true)
		return b, b.Reason == boot.StarvationLimit
	}
	wrong := true
	for _, x := range scopes {
		if x.Subnet.Contains(want) {
			s, wrong = x, false
		}
	}
	b = Binding{IA: bare(ia), Ask: d.ask(now, h, s, ia, o), Reason: boot.WrongNetwork}
	if !wrong {
		o.use(s)
		if b.Reason = boot.Answered; t == wire.Request { // also without an offer before it
			b.Reason = d.admit(now, h, s, b.Ask.ID)
		}
		if b.Reason == boot.Answered {
			d.take(now, &b, hows[t])
		}
	}
	switch b.Reason {
	case boot.Answered:
	case boot.StoreRefused, boot.ScopeUnknown, boot.StarvationLimit:
		return b, true
	case boot.WrongNetwork:
		if t == wire.Request {
			b.Status = wire.NotOnLink
			return b, false
		}
		b = d.instead(now, h, scopes, ia, o)
	case boot.UnknownLease, boot.NotOurLease:
		switch t {
		case wire.Rebind:
			return b, true
		case wire.Renew:
			b.Status = wire.NoBinding // it asks anew (RFC 8415 section 18.2.10.1)
			return b, false
		}
		b = d.instead(now, h, scopes, ia, o)
	default: // another has it, or a reservation is elsewhere
		b = d.instead(now, h, scopes, ia, o)
	}
	if b.Reason == boot.StarvationLimit {
		return b, true
	}
	if t == wire.Request && b.Reason == boot.Answered && !b.Grant.Known && d.guard != nil {
		d.guard.taken(now, h)
	}
	for a := range ia.Addresses() { // one address for an association; what a client did not have yet, it need not give up
		if t != wire.Request && a.Addr != b.Grant.Record.Addr && len(b.Gone) < maxIAs {
			b.Gone = append(b.Gone, a.Addr)
		}
	}
	return b, false
}

// instead gives another address than the one that is asked for.
func (d *Decider) instead(now time.Time, h Heard, scopes []*scope, ia wire.IA, o *Outcome) Binding {
	return d.give(now, h, scopes, wire.IA{Code: ia.Code, IAID: ia.IAID}, o, true)
}

// hows are the states of a client that the messages tell of, as the Book has them.
var hows = map[wire.MessageType]lease.How{
	wire.Request: lease.Selecting, wire.Renew: lease.Renewing, wire.Rebind: lease.Rebinding,
}

// again makes the answer anew when the disk refused records: a lease that is known is confirmed for the time
// that it has, and nothing else is given. ok is false if nothing is left to say.
func (d *Decider) again(now time.Time, o *Outcome) (ok bool) {
	for i := range o.Bindings {
		b := &o.Bindings[i]
		if !b.Grant.Keep {
			ok = ok || b.Grant.Record.Addr.IsValid()
			continue
		}
		ask := b.Ask
		ask.Want = b.Grant.Record.Addr
		g, why := d.book.Confirm(now, ask)
		if why != boot.Answered || g.Record.Addr != ask.Want || g.For <= 0 || o.Reply != wire.Reply {
			b.Grant, b.Status, b.Reason = lease.Grant{}, wire.NoAddrsAvail, boot.StoreRefused
			continue
		}
		b.Grant, ok = g, true
	}
	return ok
}
