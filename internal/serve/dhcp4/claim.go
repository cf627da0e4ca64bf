package dhcp4

import (
	"errors"
	"net/netip"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
)

// Shared is a store that several nodes have in common.
type Shared interface {
	// Claim puts the record of a grant into the store if the rule of package lease allows it, and, if it is
	// more than an offer, on this node's disk. It returns at once. done is called exactly once, soon whatever the
	// store does, possibly by Claim itself: nil if so, lease.ErrLost if another record was there, which
	// the Book has by then, and another error if there was no answer.
	Claim(g lease.Grant, done func(error))
	// Hear notes from where a packet came: a network's own wire, or a relay.
	Hear(now time.Time, network string, relay netip.Addr)
}

// A claim that was lost is tried again with another address, so often, and not for longer than a client
// should wait for an OFFER. Then the answer is what this node can give by itself.
const (
	maxTries  = 4
	claimTime = 150 * time.Millisecond
)

// claim has the record of an outcome put into the shared store, and its answer sent after that.
func (p *port) claim(s *Server, h Heard, o *Outcome, payload []byte) {
	c := p.pending(s, h, o, payload)
	c.claimed = true
	s.d.Shared.Claim(o.Grant, func(err error) {
		s.d.Book.Committed(c.record, err)
		c.err = err
		p.commits.put(c)
	})
}

// claimed sends the answer of a claim, or finds another one.
func (w *worker) claimed(c *pending) {
	defer w.p.commits.waiting.Done()
	h, o := c.heard, &c.outcome
	h.View = &w.view
	if err := w.view.Parse(c.request); err != nil {
		return // it could be read before
	}
	now := w.s.d.Now()
	if c.err == nil {
		w.leave(now, h, o, c)
		return
	}
	tries, began := c.outcome.tries+1, c.outcome.began
	w.d.only = lease.OwnBlock
	if errors.Is(c.err, lease.ErrLost) && tries < maxTries && now.Sub(began) < claimTime {
		w.d.only = lease.Any
	}
	next := w.d.Decide(now, h)
	w.d.only = lease.Any
	next.tries, next.began, next.why = tries, began, c.err.Error()
	if next.Reply.Type == 0 && !next.Reply.BOOTP {
		var ev boot.Event
		w.s.event(&ev, &h, &next)
		ev.Kind, ev.Reason, ev.Detail = boot.Ignored, next.Reason, next.Detail()+", "+next.why
		w.s.emit(&ev)
		return
	}
	w.carryOut(now, h, &next)
}

// leave sends an answer whose record was claimed; an offer perhaps a little later.
func (w *worker) leave(now time.Time, h Heard, o *Outcome, c *pending) {
	unsure := o.Reply.Type == wire.Offer && o.Grant.Ping && o.scope.ConflictCheck
	if unsure && w.s.check.ask(now, w.p, h, o) && o.scope.ConflictWait > 0 {
		w.p.postpone(w.s, h, o, c.payload)
		return
	}
	w.s.emit(&c.tell)
	if w.out.add(c.own, c.route, c.payload) {
		w.flush()
	}
}

// hear tells the shared store from where a packet came: of broadcasts and relayed packets every node
// should hear the same.
func (w *worker) hear(now time.Time, h Heard, o *Outcome) {
	relay := h.View.GIAddr()
	if w.s.d.Shared != nil && o.Scope != "" && (relay.IsValid() || h.To.Addr() == everyone) {
		w.s.d.Shared.Hear(now, o.Scope, relay)
	}
}
