package tftp

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"surefoot/internal/boot"
)

// staleAfter is how long a transfer must stand still before a request with the same bytes counts
// as a new beginning rather than a copy: a ROM that was reset in mid-transfer comes back from the
// same port, since it counts its ports from the same number.
const staleAfter = 2 * time.Second

// ends is who talks to whom: the client's address and port, and the address that it asked.
type ends struct {
	client netip.AddrPort
	local  netip.Addr
}

// registry holds the transfers that run or wait: who is who (here), who may run (limits.go), and
// who is next (queue.go).
type registry struct {
	limits  Limits
	network func(netip.Addr) string // names the network of a client; nil: all are in one
	clock   func() time.Time        // when a place becomes free

	mu       sync.Mutex // guards what follows, and the accounts of transfers
	all      map[ends]*transfer
	running  int // of all, those that do not wait
	live     int // admitted and not removed: those that run, and ended ones that are not over yet
	sources  map[netip.Addr]*source
	networks map[string]int // transfers that run in each network
	silent   list.List      // of *transfer: those that run and whose client acknowledged nothing yet, oldest first
	ring     list.List      // of *source: those that have transfers waiting, in turn
	waiting  int            // transfers in the queue
}

// admit registers a transfer. The answer is Answered for one that runs, DuplicateRequest for a copy
// of the request whose transfer runs or waits, or the limit that one more would break: then the
// transfer is queued, or, if it may not even wait, refused. A client that asks for something else
// from the same port (lpxelinux uses one for all its files) has given the old transfer up: it is
// ended.
func (r *registry) admit(t *transfer, now time.Time) (why boot.Reason, queued bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.all[t.ends]
	if old != nil && old.request == t.request && !old.stale(now) {
		return boot.DuplicateRequest, false
	}
	if r.live >= 2*r.limits.Transfers { // somebody replaces transfers faster than they end
		return boot.TooManyTransfers, false
	}
	s := r.source(t.ends.client.Addr())
	defer r.hold(s)()
	heir := false // of the old one's place
	if old != nil {
		heir = !old.queued
		r.forget(old)
		old.interrupt(replaced)
	}
	why = r.full(s)
	switch {
	case heir, s.waiting.Len() == 0 && (why == "" || r.makeRoom(s, why, now)):
		r.register(t)
		r.enter(t, s, now)
		return boot.Answered, false
	case why == "":
		why = boot.TooManyTransfers // others of this address are before it
	}
	if !r.queue(t, s) {
		return why, false
	}
	r.register(t)
	return why, true
}

func (r *registry) register(t *transfer) {
	if r.all == nil {
		r.all = map[ends]*transfer{}
	}
	r.all[t.ends] = t
}

// at returns the transfer that runs between the same ends, or nil.
func (r *registry) at(e ends) *transfer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[e]
}

// remove forgets a transfer, unless a later one has its place, and lets the next ones in.
func (r *registry) remove(t *transfer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.live {
		r.live, t.live = r.live-1, false
	}
	r.forget(t)
	r.dispatch(r.clock())
}

// heard notes that a transfer's client acknowledged something: its address is no forgery.
func (r *registry) heard(t *transfer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.speaks(t)
	if s := t.account; s != nil && !s.proven {
		s.proven = true
		if s.waiting.Len() > 0 {
			r.dispatch(r.clock())
		}
	}
}

// forget takes a transfer out of all accounts, and of the register. r.mu is held.
func (r *registry) forget(t *transfer) {
	switch {
	case t.queued:
		r.unqueue(t)
	case t.account != nil:
		r.leave(t)
	}
	if r.all[t.ends] == t {
		delete(r.all, t.ends)
	}
}

// interruptAll ends every transfer.
func (r *registry) interruptAll(why interruption) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.all {
		t.interrupt(why)
	}
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live
}
