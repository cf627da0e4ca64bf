package dhcp6

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp6"
	"surefoot/internal/wire/pxe"
)

// Outcome is what is to be done about a packet. It is complete: whoever carries it out decides nothing.
type Outcome struct {
	Reason   boot.Reason // Answered, or why not
	Seen     boot.Kind   // what the packet is in a boot's story; "" if it is part of none
	Client   boot.Client // as far as the packet tells
	Boots    bool        // it asks for a boot file, or says that it boots from the network
	Decision boot.Decision
	Scope    string // of the network in the site file
	Reply    wire.MessageType
	Status   wire.Status // of the whole message
	Said     bool        // Status is to be said
	Rapid    bool        // the answer to a SOLICIT gives the address at once
	Bindings []Binding
	Ended    []lease.Record // releases and declines that must be kept

	scope *scope
	tries int       // claims that were lost
	began time.Time // when the packet came
	why   string    // what became of a claim before it
}

// Binding is what is told of one identity association.
type Binding struct {
	IA     wire.IA // without its options
	Ask    lease.Ask
	Grant  lease.Grant // its Record.Addr is not valid if no address is given
	Reason boot.Reason
	Status wire.Status  // said if it is not Success
	Gone   []netip.Addr // addresses that the client is not to use any more
}

// Decider decides about one packet after another. It is for one goroutine at a time.
type Decider struct {
	p       *plan
	book    *lease.Book
	down    boot.Down
	choose  *boot.Chooser
	names   pxe.Names
	holders *holders
	guard   *guard       // nil: for explaining
	only    lease.Source // which addresses may be given
	writer  wire.Writer
}

// NewDecider makes a Decider of a configuration, for explaining.
func NewDecider(cfg Config, book *lease.Book, down boot.Down) (*Decider, error) {
	p, err := newPlan(cfg)
	if err != nil {
		return nil, err
	}
	return newDecider(p, book, down, newHolders(), nil), nil
}

func newDecider(p *plan, book *lease.Book, down boot.Down, h *holders, g *guard) *Decider {
	return &Decider{p: p, book: book, down: down, holders: h, guard: g, choose: boot.NewChooser(p.cfg.Site)}
}

// Decide says what is to be done about a packet. It has no socket, no logger and no clock, and whether it answers
// never depends on the elapsed time or on a belief about another node (Q1).
func (d *Decider) Decide(now time.Time, h Heard) Outcome {
	var o Outcome
	v := h.View
	o.Client, o.Boots = d.names.ClientOf6(v.Options())
	o.Client.MAC = h.machine()
	o.Client.Relay = v.Link()
	o.Client.Addr = h.client()
	o.Seen = o.seen(v.Type())
	scopes := d.p.scopesOf(h)
	switch why := d.valid(h); {
	case why != boot.Answered:
		o.Reason = why
	case len(scopes) == 0 && h.direct() && !h.Link.global():
		o.Reason = boot.NoOwnAddress
	case len(scopes) == 0:
		o.Reason = boot.ScopeUnknown
	default:
		o.use(scopes[0])
		d.decide(now, h, scopes, &o)
	}
	return o
}

func (o *Outcome) use(s *scope) { o.scope, o.Scope = s, s.Network }

// seen is what a message is in a story.
func (o *Outcome) seen(t wire.MessageType) boot.Kind {
	switch {
	case t == wire.Request:
		return boot.RequestSeen
	case o.Boots && (t == wire.Solicit || t == wire.InformationRequest):
		return boot.DiscoverSeen
	}
	return ""
}

// valid looks at what RFC 8415 section 16 wants of each message.
func (d *Decider) valid(h Heard) boot.Reason {
	v := h.View
	id, server := v.ClientID(), v.ServerID()
	has, ours := v.Options().Has(wire.ServerID), bytes.Equal(server, d.p.cfg.DUID)
	if v.Options().Has(wire.ClientID) && !id.Valid() {
		return boot.Malformed
	}
	switch v.Type() {
	case wire.Solicit, wire.Confirm, wire.Rebind: // 16.2, 16.5, 16.7
		if !id.Valid() || has {
			return boot.Malformed
		}
		if h.direct() && !h.To.IsMulticast() {
			return boot.NotMulticast // 16
		}
	case wire.Request, wire.Renew, wire.Decline, wire.Release: // 16.4, 16.6, 16.8, 16.9
		if !id.Valid() || !has {
			return boot.Malformed
		}
		if !ours {
			return boot.OtherServer
		}
	case wire.InformationRequest: // 16.12
		switch {
		case has && !ours:
			return boot.OtherServer
		case hasIA(v.Options()):
			return boot.Malformed
		case h.direct() && !h.To.IsMulticast():
			return boot.NotMulticast
		}
	case wire.Advertise, wire.Reply, wire.Reconfigure, wire.RelayReply:
		return boot.NotRequest
	default:
		return boot.OtherMessage
	}
	return boot.Answered
}

func hasIA(o wire.Options) bool { return o.Has(wire.IANA) || o.Has(wire.IATA) || o.Has(wire.IAPD) }

func (d *Decider) decide(now time.Time, h Heard, scopes []*scope, o *Outcome) {
	t := h.View.Type()
	switch t {
	case wire.Request, wire.Renew, wire.Decline, wire.Release:
		if h.direct() && !h.To.IsMulticast() { // 18.4: this server never says that it may be asked alone
			o.Reply, o.Reason = wire.Reply, boot.NotMulticast
			o.Status, o.Said = wire.UseMulticast, true
			return
		}
	}
	switch t {
	case wire.Solicit:
		d.solicit(now, h, scopes, o)
	case wire.Request, wire.Renew, wire.Rebind:
		d.request(now, h, scopes, o)
	case wire.Confirm:
		confirm(h, scopes, o)
	case wire.Release, wire.Decline:
		d.end(now, h, scopes, o)
	case wire.InformationRequest:
		o.Reply, o.Reason = wire.Reply, boot.Answered
	}
	if o.Reply != 0 && t != wire.Confirm && t != wire.Release && t != wire.Decline {
		d.boot(o)
	}
}

// boot chooses the file. The network is the scope's, wherever the packet came from.
func (d *Decider) boot(o *Outcome) {
	c := o.Client
	c.Relay, c.Addr, c.Link = netip.Addr{}, netip.Addr{}, o.scope.Subnet
	o.Decision = *d.choose.Choose(c, d.down)
	o.Decision.Answer.Servers = slices.Clone(o.Decision.Answer.Servers)
}

// confirm says whether a client's addresses are of its link (RFC 8415 section 18.3.3): a machine that was moved, or
// that slept, asks it.
func confirm(h Heard, scopes []*scope, o *Outcome) {
	some := false
	for ia := range h.View.Options().IAs() {
		for a := range ia.Addresses() {
			some = true
			if !slices.ContainsFunc(scopes, func(s *scope) bool { return s.Subnet.Contains(a.Addr) }) {
				o.Status = wire.NotOnLink
			}
		}
	}
	if !some {
		o.Reason = boot.Malformed
		return
	}
	o.Reply, o.Said, o.Reason = wire.Reply, true, boot.Answered
	if o.Status == wire.NotOnLink {
		o.Reason = boot.WrongNetwork
	}
}

// end takes releases and declines (RFC 8415 sections 18.3.7 and 18.3.8). Only who has an address last may give it
// back: firmware releases the address of its network stack while its PXE goes on with another program's.
func (d *Decider) end(now time.Time, h Heard, scopes []*scope, o *Outcome) {
	o.Reply, o.Said, o.Reason = wire.Reply, true, boot.UnknownLease
	decline := h.View.Type() == wire.Decline
	for ia := range h.View.Options().IAs() {
		b := Binding{IA: bare(ia), Status: wire.NoBinding, Reason: boot.UnknownLease}
		for a := range ia.Addresses() {
			for _, s := range scopes {
				if !s.Subnet.Contains(a.Addr) {
					continue
				}
				o.use(s)
				ask := d.ask(now, h, s, ia, o)
				ask.Want = a.Addr
				if at, ok := d.book.ByAddr(a.Addr); !ok || at.ID != ask.ID || d.holder(now, s.Name, ask.ID) != ask.Circuit {
					continue
				}
				var r lease.Record
				var why boot.Reason
				if decline {
					r, why = d.book.Decline(now, ask)
				} else {
					r, why = d.book.Release(now, ask)
				}
				if b.Reason = why; why == boot.Answered {
					d.holders.drop(key{s.Name, ask.ID}, ask.Circuit)
					o.Ended, b.Status, o.Reason = append(o.Ended, r), wire.Success, boot.Answered
				}
			}
		}
		if b.Status != wire.Success { // 18.3.7: only what could not be done is told of
			o.Bindings = append(o.Bindings, b)
		}
	}
}

// bare is an association as an answer begins it.
func bare(ia wire.IA) wire.IA { return wire.IA{Code: ia.Code, IAID: ia.IAID} }

// First is the first address that is given, the zero value if there is none.
func (o *Outcome) First() (netip.Addr, time.Duration) {
	for i := range o.Bindings {
		if a := o.Bindings[i].Grant.Record.Addr; a.IsValid() {
			return a, o.Bindings[i].Grant.For
		}
	}
	return netip.Addr{}, 0
}

// Detail says in words what the outcome's reason rests on, for events.
func (o *Outcome) Detail() string {
	switch a, d := o.First(); {
	case a.IsValid():
		return fmt.Sprintf("%s for %s", a, d)
	case o.Said && o.Reply != 0:
		return o.Status.String()
	}
	for _, b := range o.Bindings {
		if b.Status != wire.Success {
			return b.Status.String()
		}
	}
	return ""
}
