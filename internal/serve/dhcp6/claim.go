package dhcp6

import (
	"errors"
	"net/netip"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
)

// Shared is a store that several nodes have in common.
type Shared interface {
	// Claim puts the record of a grant into the store if the rule of package lease allows it, and, if it is
	// more than an offer, on this node's disk. It returns at once. done is called exactly once, soon whatever the
	// store does, possibly by Claim itself: nil if so, lease.ErrLost if another record was there, which
	// the Book has by then, and another error if there was no answer.
	Claim(g lease.Grant, done func(error))
	// Hear notes from where a packet came: a scope's own wire, or a relay.
	Hear(now time.Time, scope string, relay netip.Addr)
}

// A claim that was lost is tried again with another address, so often, and not for longer than a client
// should wait for its first answer. Then the answer is what this node can give by itself.
const (
	maxTries  = 4
	claimTime = 150 * time.Millisecond
)

// anew decides once more about a message whose claims did not all get through. What did is in
// the Book by now, and is not claimed a second time.
func (w *worker) anew(h Heard, c *pending) {
	now := w.s.d.Now()
	tries, began := c.outcome.tries+1, c.outcome.began
	w.d.only = lease.OwnBlock
	if errors.Is(c.err, lease.ErrLost) && tries < maxTries && now.Sub(began) < claimTime {
		w.d.only = lease.Any
	}
	next := w.d.Decide(now, h)
	w.d.only = lease.Any
	next.tries, next.began, next.why = tries, began, c.err.Error()
	if next.Reply != 0 {
		w.carryOut(h, &next)
		return
	}
	w.s.abandon(&next)
	ev := event(h, &next)
	ev.Kind, ev.Reason, ev.Detail = boot.Ignored, next.Reason, h.View.Type().String()+", "+next.why
	w.s.tell(ev)
}

// hear tells the shared store from where a packet came: of what goes to a group, and of what relays forward,
// every node should hear the same.
func (w *worker) hear(now time.Time, h Heard, o *Outcome) {
	if w.s.d.Shared == nil || o.scope == nil || h.direct() && !h.To.IsMulticast() {
		return
	}
	var relay netip.Addr
	if !h.direct() {
		if relay = h.View.Link(); !relay.IsValid() {
			relay = h.From.Addr().WithZone("")
		}
	}
	w.s.d.Shared.Hear(now, o.scope.Name, relay)
}
