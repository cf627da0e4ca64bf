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

// registry holds the transfers that are running.
type registry struct {
	max int

	mu     sync.Mutex // guards what follows
	all    map[ends]*transfer
	live   int                // admitted and not removed: those of all, and ended ones that are not over yet
	byAddr map[netip.Addr]int // how many of them each client address has
	silent list.List          // of *transfer: those whose client acknowledged nothing yet, oldest first
}

// silentFor is how long a client may acknowledge nothing before its transfer has to make room for
// another, where there is none. A real client answers within milliseconds; what a forged address
// asked for would hold its place until the transfer is given up.
const silentFor = 2 * time.Second

// perAddress is how many transfers one client address may have, of max in all: a share that a
// balancer with its own source address gets along with, and that leaves room for the others when
// somebody asks without end and acknowledges nothing.
func perAddress(most int) int { return max(16, most/8) }

// admit registers a transfer. The answer is Answered, DuplicateRequest for a copy of the request
// whose transfer is running, or TooManyTransfers. A client that asks for something else from the
// same port (lpxelinux uses one for all its files) has given the old transfer up: it is ended.
func (r *registry) admit(t *transfer, now time.Time) boot.Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.all[t.ends]
	if old != nil && old.request == t.request && !old.stale(now) {
		return boot.DuplicateRequest
	}
	addr := t.ends.client.Addr()
	switch {
	case r.live >= 2*r.max: // somebody replaces transfers faster than they end
		return boot.TooManyTransfers
	case old != nil:
		r.forget(old)
		old.interrupt(replaced)
	case r.byAddr[addr] >= perAddress(r.max), len(r.all) >= r.max && !r.makeRoom(now):
		return boot.TooManyTransfers
	}
	if r.all == nil {
		r.all, r.byAddr = map[ends]*transfer{}, map[netip.Addr]int{}
	}
	r.all[t.ends] = t
	r.live, t.live = r.live+1, true
	r.byAddr[addr]++
	t.place = r.silent.PushBack(t)
	return boot.Answered
}

// at returns the transfer that runs between the same ends, or nil.
func (r *registry) at(e ends) *transfer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[e]
}

// remove forgets a transfer, unless a later one has its place.
func (r *registry) remove(t *transfer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.live {
		r.live, t.live = r.live-1, false
	}
	if r.all[t.ends] == t {
		r.forget(t)
	}
}

// heard notes that a transfer's client acknowledged something.
func (r *registry) heard(t *transfer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.speaks(t)
}

func (r *registry) speaks(t *transfer) {
	if t.place != nil {
		r.silent.Remove(t.place)
		t.place = nil
	}
}

// makeRoom ends the transfer that has been silent longest, if that is long enough.
func (r *registry) makeRoom(now time.Time) bool {
	front := r.silent.Front()
	if front == nil {
		return false
	}
	victim := front.Value.(*transfer)
	if now.Sub(victim.began) < silentFor {
		return false
	}
	r.forget(victim)
	victim.interrupt(displaced)
	return true
}

// forget takes a registered transfer out of all accounts. r.mu is held.
func (r *registry) forget(t *transfer) {
	r.speaks(t)
	delete(r.all, t.ends)
	addr := t.ends.client.Addr()
	if r.byAddr[addr]--; r.byAddr[addr] == 0 {
		delete(r.byAddr, addr)
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
