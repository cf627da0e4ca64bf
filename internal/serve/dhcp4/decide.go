package dhcp4

import (
	"net/netip"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/pxe"
)

// Outcome is what is to be done about a packet. It is complete: whoever carries it out decides nothing.
type Outcome struct {
	Reason   boot.Reason   // Answered, or why not; with a NAK, why
	Seen     boot.Kind     // what the packet is in a boot's story; "" if it is part of none
	Client   boot.Client   // as far as the packet tells
	PXE      bool          // a boot ROM, or what acts as one
	Decision boot.Decision // which file; good until the Decider's next packet
	Scope    string
	Ask      lease.Ask // what the Book was asked
	Grant    lease.Grant
	Ended    lease.Record // a release or decline that must be kept
	Reply    Reply        // its Type is 0 without an answer
	Route    Route
	Foreign  bool // another role's business: nothing is told of it

	tries int       // claims that were lost before it
	began time.Time // when the packet was decided about first
	why   string    // what the last one of them ran into
	scope *scope
}

// Reply is what an answer says besides what follows from scope and file.
type Reply struct {
	Type     wire.MessageType // 0: none; an ACK without a lease answers an INFORM
	BOOTP    bool
	YIAddr   netip.Addr
	ServerID netip.Addr
	Lease    time.Duration
}

// Decider decides about one packet after another, and allocates next to nothing for it. It is for one
// goroutine at a time.
type Decider struct {
	p      *plan
	book   *lease.Book
	down   boot.Down
	choose *boot.Chooser
	names  pxe.Names
	only   lease.Source // which addresses may be given
	guard  *guard       // nil: nobody starves the pool

	refuses func() error // see Deps; may be nil
	shared  bool         // nodes share a store

	writer wire.Writer
	texts  map[netip.Addr]string
}

// NewDecider makes a Decider of a configuration, for explaining.
func NewDecider(cfg Config, book *lease.Book, down boot.Down) (*Decider, error) {
	p, err := newPlan(cfg)
	if err != nil {
		return nil, err
	}
	return newDecider(p, book, down, nil), nil
}

func newDecider(p *plan, book *lease.Book, down boot.Down, g *guard) *Decider {
	return &Decider{p: p, book: book, down: down, guard: g, choose: boot.NewChooser(p.cfg.Site), texts: map[netip.Addr]string{}}
}

// Decide says what is to be done about a packet. It has no socket, no logger and no clock, and whether
// it answers never depends on secs, on flags, on option 61 or on a belief about another node (Q1).
func (d *Decider) Decide(now time.Time, h Heard) Outcome {
	var o Outcome
	d.into(now, h, &o)
	return o
}

// into is Decide for an Outcome that is used again: it is large, and copying it was felt.
func (d *Decider) into(now time.Time, h Heard, o *Outcome) {
	*o = Outcome{}
	c, why := d.names.ClientOf(h.View)
	if len(h.Link.Addrs) > 0 {
		c.Link = h.Link.Addrs[0]
	}
	o.Client, o.PXE = c, why == boot.Answered || why == boot.NoArch
	switch {
	case h.View.Op() != wire.OpRequest:
		o.Reason = boot.NotRequest
	case len(h.Link.Addrs) == 0:
		o.Reason = boot.NoOwnAddress
	case !h.forUs():
		o.Reason = boot.OtherServer
	case !wire.Sane(c.Addr, h.Link.Addrs) || !wire.Sane(c.Relay, h.Link.Addrs):
		o.Reason = boot.Malformed
	case nameless(h.View) && len(clientID(h.View)) == 0:
		o.Reason = boot.NotEthernet // nothing to know it by again (RFC 4390)
	default:
		d.decide(now, h, o)
	}
	if o.Reason == boot.NoOwnAddress {
		o.Seen = seen(h.View.Type(), o.PXE)
	}
}

// seen is what a message is in a story.
func seen(t wire.MessageType, pxe bool) boot.Kind {
	switch t {
	case wire.Discover:
		if pxe {
			return boot.DiscoverSeen
		}
	case wire.Request:
		return boot.RequestSeen
	}
	return ""
}

func (d *Decider) decide(now time.Time, h Heard, o *Outcome) {
	scopes := d.p.scopesFor(h)
	if scopes == nil {
		o.Reason = boot.ScopeUnknown
		o.Foreign = d.otherwise(h, o.Client)
		return
	}
	t := h.View.Type()
	if o.Seen = seen(t, o.PXE); t == 0 && !h.View.BOOTP() {
		o.Reason = boot.Malformed
		return
	}
	o.ask(h, d, scopes)
	switch {
	case h.View.BOOTP():
		d.bootp(now, h, scopes, o)
	case t == wire.Discover:
		d.discover(now, h, scopes, o)
	case t == wire.Request:
		d.request(now, h, scopes, o)
	case t == wire.Inform:
		d.inform(h, scopes, o)
	case t == wire.Release || t == wire.Decline:
		d.end(now, h, scopes, o)
	default:
		o.Reason = boot.OtherMessage // LEASEQUERY (RFC 4388) and what servers send
	}
}

// otherwise reports whether the client's network is delivered to in another way.
func (d *Decider) otherwise(h Heard, c boot.Client) bool {
	if at, wired := h.place(); !wired {
		c.Relay = at
	}
	n, ok := d.p.cfg.Site.Locate(c)
	return ok && n.Deliver != boot.DeliverDHCP
}

// ask says to the Book who asks, and where.
func (o *Outcome) ask(h Heard, d *Decider, scopes []*scope) {
	v := h.View
	s := scopes[0]
	o.use(s)
	o.Ask.ID = lease.Hardware(v.HType(), v.CHAddr())
	_, known := s.Hosts[o.Ask.ID] // reservations are of hardware addresses, whatever leases belong to
	if id := clientID(v); len(id) > 0 && (s.ByClientID && !known || nameless(v)) {
		o.Ask.ID = lease.Client(id)
	}
	o.Ask.MAC, _ = v.MAC()
	o.Ask.Only = d.only
	o.Ask.XID, o.Ask.Relay = v.XID(), v.GIAddr()
	o.Ask.Class, o.Ask.Arch = o.Client.VendorClass[:min(len(o.Client.VendorClass), maxClass)], uint16(o.Client.Arch)
	if n, ok := v.Uint32(wire.LeaseTime); ok {
		o.Ask.For = time.Duration(n) * time.Second
	}
	if a := v.Addr(wire.RequestedAddress); a.IsValid() {
		o.Ask.Want = a
	} else {
		o.Ask.Want = v.CIAddr()
	}
	if circuit, ok := v.Agent().Get(wire.AgentCircuit); ok {
		o.Ask.Circuit = d.printable(circuit)
	}
}

func clientID(v *wire.View) []byte { id, _ := v.Get(wire.ClientID); return id }

// nameless reports that no machine is known by its hardware address: there is none (RFC 4390), or it is all
// zeros, as of cards and virtual machines that nobody gave one. They would all get one address.
func nameless(v *wire.View) bool {
	for _, b := range v.CHAddr() {
		if b != 0 {
			return false
		}
	}
	return true
}

func (o *Outcome) use(s *scope) { o.scope, o.Scope, o.Ask.Scope = s, s.Name, s.Name }

// choices are the scopes in the order in which they are asked: in front the one in which the machine has a
// reservation, or else the one of its latest lease.
func (d *Decider) choices(scopes []*scope, o *Outcome) []*scope {
	if len(scopes) == 1 {
		return scopes
	}
	first, latest := 0, time.Time{}
	for i, s := range scopes {
		if _, host := s.Hosts[o.Ask.ID]; host {
			first = i
			break
		}
		if r, has := d.book.ByID(s.Name, o.Ask.ID); has && r.Expires.After(latest) {
			first, latest = i, r.Expires
		}
	}
	if first == 0 {
		return scopes
	}
	return append([]*scope{scopes[first]}, scopes...)
}

// discover answers with an offer.
func (d *Decider) discover(now time.Time, h Heard, scopes []*scope, o *Outcome) {
	scopes = d.choices(scopes, o)
	o.use(scopes[0])
	o.Ask.Again = true
	o.Grant, o.Reason = d.offer(now, h, &o.Ask)
	if o.Ask.Again = false; o.Reason != boot.Answered {
		if d.guard != nil {
			if o.Reason = d.guard.admit(now, h, o, scopes, d.book); o.Reason != boot.Answered {
				return
			}
		}
		for _, s := range scopes {
			o.use(s)
			if o.Grant, o.Reason = d.offer(now, h, &o.Ask); o.Reason != boot.NoFreeAddress {
				break
			}
		}
	}
	// What is claimed is on the disks of the shared store, whatever this node's own disk says.
	if o.Reason == boot.Answered && !(d.shared && !o.Grant.Record.Own) && d.refusing() {
		ask := o.Ask
		ask.Want = o.Grant.Record.Addr
		var g lease.Grant
		if g, o.Reason = d.unkept(now, ask); o.Reason == boot.Answered {
			o.Grant.For = min(o.Grant.For, g.For)
		}
	}
	if o.Reason == boot.Answered {
		d.answer(h, o, wire.Offer)
	}
}

// offer is the Book's, but for the addresses of this host, of which the site file may not know: no conflict
// check finds them.
func (d *Decider) offer(now time.Time, h Heard, a *lease.Ask) (lease.Grant, boot.Reason) {
	g, why := d.book.Offer(now, *a)
	for tries := 0; why == boot.Answered && h.Link.has(g.Record.Addr) && tries < 16; tries++ {
		d.book.Busy(now, a.Scope, g.Record.Addr)
		g, why = d.book.Offer(now, *a)
	}
	return g, why
}

func (d *Decider) refusing() bool { return d.refuses != nil && d.refuses() != nil }

// inform answers a machine that has an address from elsewhere with everything but an address (RFC 2131
// section 4.3.5).
func (d *Decider) inform(h Heard, scopes []*scope, o *Outcome) {
	if !h.View.CIAddr().IsValid() && !h.View.GIAddr().IsValid() {
		if from := h.From.Addr(); from.IsUnspecified() || !wire.Sane(from, h.Link.Addrs) {
			o.Reason = boot.NoAddress
			return
		}
		o.Client.Addr = h.From.Addr()
	}
	known := h.View.GIAddr().IsValid() // then the relay gets the answer
	for _, s := range scopes {
		if s.Subnet.Contains(o.Client.Addr) {
			o.use(s)
			known = true
			break
		}
	}
	if !known { // the answer would go to anybody whom the packet names
		o.Reason = boot.WrongNetwork
		return
	}
	o.Reason = boot.Answered
	d.answer(h, o, wire.ACK)
}

// end takes a release or a decline. There is no answer to either.
func (d *Decider) end(now time.Time, h Heard, scopes []*scope, o *Outcome) {
	if id := h.View.Addr(wire.ServerID); id.IsValid() && id != d.serverID(h, scopes[0]) && !d.isOurs(h, id) {
		o.Reason = boot.OtherServer
		return
	}
	decline := h.View.Type() == wire.Decline
	if !decline {
		o.Ask.Want = h.View.CIAddr() // RFC 2131 table 5
	}
	for _, s := range scopes {
		if s.Subnet.Contains(o.Ask.Want) {
			o.use(s)
		}
	}
	switch {
	case decline:
		o.Ended, o.Reason = d.book.Decline(now, o.Ask)
	case !h.View.GIAddr().IsValid() && h.From.Addr() != o.Ask.Want:
		// It is sent from the address that it gives up (RFC 2131 section 4.4.4). Whoever names somebody
		// else's hardware address in it may end no lease.
		o.Reason = boot.UnknownLease
	default:
		o.Ended, o.Reason = d.book.Release(now, o.Ask)
	}
}

// bootp answers a machine that knows no DHCP (RFC 951), where the scope says so.
func (d *Decider) bootp(now time.Time, h Heard, scopes []*scope, o *Outcome) {
	if !scopes[0].BOOTP {
		o.Reason = boot.NotDHCP
		return
	}
	if o.Grant, o.Reason = d.book.Request(now, o.Ask, lease.BootP); o.Reason == boot.Answered {
		d.answer(h, o, 0)
		o.Reply.BOOTP = true
	}
}

// answer fills in a reply that gives an address, or tells of the network.
func (d *Decider) answer(h Heard, o *Outcome, t wire.MessageType) {
	o.Reply = Reply{
		Type: t, YIAddr: o.Grant.Record.Addr, Lease: o.Grant.For, ServerID: d.serverID(h, o.scope),
	}
	// The network is the scope's, wherever the packet came from: giaddr may lie in another (RFC 3527).
	c := o.Client
	c.Relay, c.Addr, c.Link = netip.Addr{}, netip.Addr{}, o.scope.Subnet
	o.Decision = *d.choose.Choose(c, d.down)
	o.Route = d.route(h, o)
}

// serverID is what this node calls itself to the client: what the relay asks for (RFC 5107), or that of its
// addresses which the client chose, or its own. A relay may send a request to several addresses of ours, and
// a client that hears of another one than it chose waits on.
func (d *Decider) serverID(h Heard, s *scope) netip.Addr {
	if a := h.underRelay().Addr(wire.AgentServerID); a.IsValid() && wire.Sane(a, h.Link.Addrs) {
		return a
	}
	if a := h.View.Addr(wire.ServerID); d.isOurs(h, a) {
		return a
	}
	return h.ownAddr(s.Subnet)
}

// isOurs reports whether an option 54 means this node.
func (d *Decider) isOurs(h Heard, id netip.Addr) bool {
	return id.IsValid() && (h.Link.has(id) || id == d.p.self.Addr())
}

// Detail says in words what the outcome's reason rests on, for events.
func (o *Outcome) Detail() string {
	switch {
	case o.Reply.Type != 0 && o.Reply.YIAddr.IsValid():
		// Without fmt: it is said of every packet, and was a tenth of the work.
		b := make([]byte, 0, 96)
		b = append(o.Reply.YIAddr.AppendTo(b), " for "...)
		b = append(append(b, o.Reply.Lease.String()...), ", "...)
		return string(o.Route.appendTo(b))
	case o.Reply.Type != 0:
		return o.Route.String()
	case o.Ask.Want.IsValid():
		return "asks for " + o.Ask.Want.String()
	}
	return ""
}
