package dhcp4

import (
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
)

// stateOf tells the states of a client apart by what is in its REQUEST (RFC 2131 section 4.3.2, table 4).
// ok is false if it asks for nothing. Firmware mixes: with a server identifier ciaddr will do for option
// 50, and with ciaddr set option 50 does not count.
func stateOf(h Heard) (how lease.How, ok bool) {
	v := h.View
	switch ci := v.CIAddr().IsValid(); {
	case v.Has(wire.ServerID):
		return lease.Selecting, ci || v.Addr(wire.RequestedAddress).IsValid()
	case ci:
		if unicast, said := h.underRelay().Unicast(); said && unicast { // RFC 5010
			return lease.Renewing, true
		}
		if h.Unicast() && !v.GIAddr().IsValid() {
			return lease.Renewing, true
		}
		return lease.Rebinding, true
	}
	return lease.InitReboot, v.Addr(wire.RequestedAddress).IsValid()
}

// request answers with the lease, with a NAK, or not at all.
func (d *Decider) request(now time.Time, h Heard, scopes []*scope, o *Outcome) {
	how, ok := stateOf(h)
	if !ok {
		o.Reason = boot.Malformed
		return
	}
	if how == lease.Renewing || how == lease.Rebinding {
		o.Ask.Want = h.View.CIAddr()
	}
	o.Client.Addr = o.Ask.Want
	if id := h.View.Addr(wire.ServerID); how == lease.Selecting && id != d.serverID(h, scopes[0]) && !d.isOurs(h, id) {
		o.Reason = boot.OtherServer // it takes somebody else's offer
		return
	}
	o.Reason = boot.WrongNetwork
	for _, s := range scopes {
		if s.Subnet.Contains(o.Ask.Want) {
			o.use(s)
			o.Ask.Host = d.hostName(h.View)
			o.Grant, o.Reason = d.book.Request(now, o.Ask, how)
			break
		}
	}
	if o.Reason == boot.Answered {
		if d.guard != nil {
			d.guard.taken(now, h, o)
		}
		d.answer(h, o, wire.ACK)
		return
	}
	d.refuse(h, o, how)
}

// refuse says NAK where it is certain that the address is wrong, and nothing otherwise: another server
// may know better. A boot ROM that hears NAK often starts from its disk, so it hears none (Q7).
func (d *Decider) refuse(h Heard, o *Outcome, how lease.How) {
	if !lease.Naks(how, o.Reason, o.scope.Authoritative) || o.PXE && !o.scope.NAKPXE {
		return
	}
	if how != lease.Selecting && !o.scope.Authoritative {
		return
	}
	if (o.Reason == boot.UnknownLease || o.Reason == boot.NotOurLease) && d.refusing() {
		return // it may stand in a file that could not be read
	}
	o.Reply = Reply{Type: wire.NAK, ServerID: d.serverID(h, o.scope)}
	o.Route = d.route(h, o)
}

// again makes the ACK of a request anew when the disk refused the record. Without it there is none.
func (d *Decider) again(now time.Time, o *Outcome) boot.Reason {
	g, why := d.unkept(now, o.Ask)
	if why != boot.Answered || g.Record.Addr != o.Grant.Record.Addr || g.For <= 0 {
		return boot.StoreRefused
	}
	o.Grant, o.Reply.Lease = g, g.For
	return boot.Answered
}

// unkept is what a machine can be told when nothing can be kept: the rest of its lease, or its reservation
// for a few minutes.
func (d *Decider) unkept(now time.Time, a lease.Ask) (lease.Grant, boot.Reason) {
	if g, why := d.book.Confirm(now, a); why == boot.Answered {
		return g, why
	}
	return d.book.Pledge(now, a)
}
