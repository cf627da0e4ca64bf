package dhcp4

import (
	"net/netip"
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	"surefoot/internal/rate"
)

// Limits are how much is answered. A zero field means its default.
type Limits struct {
	Overall    rate.Rate // packets of all machines together; 400,000 in a second
	PerPlace   rate.Rate // of one relay, or of one interface without it; 200,000
	PerMachine rate.Rate // of one machine; 5 in a second, 20 at once
	// NewMachines are machines without a lease or reservation, of one place: one relay's port (option
	// 82.1), one relay or one interface; 20,000 in a second. Machines that are known are never
	// refused by it, so invented ones cannot shut them out.
	NewMachines rate.Rate
	// Offered is how many addresses may be offered to new machines of one relay's port without being
	// asked for, 256. Without option 82.1 there is no such limit: a whole building may stand there.
	Offered int
	// Queue is how many packets of one interface may wait, 16,384: a site that comes up at once, and less
	// than a second of work, so that nobody who waits has asked again.
	Queue int
}

func (l Limits) orDefault() Limits {
	set := func(r *rate.Rate, perSecond, burst float32) {
		if *r == (rate.Rate{}) {
			*r = rate.Rate{PerSecond: perSecond, Burst: burst}
		}
	}
	set(&l.Overall, 400_000, 400_000)
	set(&l.PerPlace, 200_000, 200_000)
	set(&l.PerMachine, 5, 20)
	set(&l.NewMachines, 20_000, 40_000)
	if l.Offered == 0 {
		l.Offered = 256
	}
	if l.Queue == 0 {
		l.Queue = 16_384
	}
	return l
}

// Of how many machines and places something is remembered.
const (
	maxMachines = 131_072 // 2 MiB
	maxPlaces   = 4096    // in each of two generations
)

// limiter is one bucket for all packets, one for each place and one for each machine.
type limiter struct {
	mu      sync.Mutex // guards all below
	limits  Limits
	all     rate.Bucket
	places  *rate.Keyed[place]
	machine *rate.Table // by the hardware address
}

// place is where packets come from.
type place struct {
	link    string
	relay   netip.Addr
	circuit string
}

func newLimiter(l Limits) *limiter {
	return &limiter{
		limits: l, places: rate.NewKeyed[place](l.PerPlace, maxPlaces),
		machine: rate.NewTable(l.PerMachine, maxMachines),
	}
}

// admits reports whether one more packet may be worked on, and says why not.
func (l *limiter) admits(now time.Time, at place, mac boot.MAC) (detail string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.all.Take(now, l.limits.Overall):
		return "more packets than this node works on", false
	case !l.places.Take(now, at):
		return "more packets from this relay or interface than are worked on", false
	case !mac.IsZero() && !l.machine.Take(now, mac.Uint64()):
		return "", false
	}
	return "", true
}

// guard keeps invented machines from taking every address (starvation).
type guard struct {
	open int        // offers of one port
	mu   sync.Mutex // guards new
	new  *rate.Newcomers[place]
}

func newGuard(l Limits) *guard {
	return &guard{open: l.Offered, new: rate.NewNewcomers[place](l.NewMachines, maxPlaces)}
}

// admit reports whether a DISCOVER may have an address: of a machine that is known always, and so of one that
// was let in and asks again, which gets the same.
func (g *guard) admit(now time.Time, h Heard, o *Outcome, scopes []*scope, book *lease.Book) boot.Reason {
	for _, s := range scopes {
		if book.Has(s.Name, o.Ask.ID) {
			return boot.Answered
		}
	}
	if _, reserved := o.scope.Hosts[o.Ask.ID]; reserved {
		return boot.Answered
	}
	open := g.open
	if o.Ask.Circuit == "" {
		open = 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.new.Admit(now, place{h.Link.Name, o.Ask.Relay, o.Ask.Circuit}, open) {
		return boot.StarvationLimit
	}
	return boot.Answered
}

// taken notes that an offer was asked for.
func (g *guard) taken(now time.Time, h Heard, o *Outcome) {
	if o.Grant.Known || o.Ask.Circuit == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.new.Taken(now, place{h.Link.Name, o.Ask.Relay, o.Ask.Circuit})
}
