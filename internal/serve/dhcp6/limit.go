package dhcp6

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"surefoot/internal/rate"
)

// What is remembered of machines and of places.
const (
	maxMachines = 65_536
	maxPlaces   = 4096
)

// limiter is one bucket for all packets, one for each place and one for each machine.
type limiter struct {
	seed   maphash.Seed
	limits Limits

	mu      sync.Mutex // guards all below
	all     rate.Bucket
	places  *rate.Keyed[place]
	machine *rate.Keyed[uint64] // by the hash of a DUID
}

type place struct {
	link  string
	relay netip.Addr
}

func newLimiter(l Limits) *limiter {
	set := func(r *rate.Rate, perSecond, burst float32) {
		if *r == (rate.Rate{}) {
			*r = rate.Rate{PerSecond: perSecond, Burst: burst}
		}
	}
	set(&l.Overall, 50_000, 50_000)
	set(&l.PerPlace, 25_000, 25_000)
	set(&l.PerMachine, 5, 20)
	return &limiter{
		seed: maphash.MakeSeed(), limits: l,
		places: rate.NewKeyed[place](l.PerPlace, maxPlaces), machine: rate.NewKeyed[uint64](l.PerMachine, maxMachines),
	}
}

// admits reports whether one more packet may be worked on, and says why not.
func (l *limiter) admits(now time.Time, h Heard) (detail string, ok bool) {
	at := place{link: h.Link.Name}
	if !h.direct() {
		at.relay = h.From.Addr()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch id := h.View.ClientID(); {
	case !l.all.Take(now, l.limits.Overall):
		return "more packets than this node works on", false
	case !l.places.Take(now, at):
		return "more packets from this relay or interface than are worked on", false
	case len(id) > 0 && !l.machine.Take(now, maphash.Bytes(l.seed, id)):
		return "", false
	}
	return "", true
}
