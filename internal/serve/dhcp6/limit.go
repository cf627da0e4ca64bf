package dhcp6

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	"surefoot/internal/rate"
	wire "surefoot/internal/wire/dhcp6"
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

func (l Limits) orDefault() Limits {
	set := func(r *rate.Rate, perSecond, burst float32) {
		if *r == (rate.Rate{}) {
			*r = rate.Rate{PerSecond: perSecond, Burst: burst}
		}
	}
	set(&l.Overall, 50_000, 50_000)
	set(&l.PerPlace, 25_000, 25_000)
	set(&l.PerMachine, 5, 20)
	set(&l.NewMachines, 5000, 20_000)
	l.Offered, l.PerSender = cmp.Or(l.Offered, 256), cmp.Or(l.PerSender, 32)
	return l
}

func newLimiter(l Limits) *limiter {
	return &limiter{
		seed: maphash.MakeSeed(), limits: l,
		places: rate.NewKeyed[place](l.PerPlace, maxPlaces), machine: rate.NewKeyed[uint64](l.PerMachine, maxMachines),
	}
}

// place is from where a packet came.
func (h Heard) place() place {
	at := place{link: h.Link.Name}
	if !h.direct() {
		at.relay = h.From.Addr()
	}
	return at
}

// admits reports whether one more packet may be worked on, and says why not.
func (l *limiter) admits(now time.Time, h Heard) (detail string, ok bool) {
	at := h.place()
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

// guard keeps invented machines from taking every address, and every byte of memory (starvation).
type guard struct {
	limits Limits

	mu    sync.Mutex // guards what follows
	place *rate.Newcomers[place]
	from  *rate.Newcomers[sender]
}

// sender is whose new machines are counted.
type sender struct {
	place
	port string     // of a switch
	peer netip.Addr // the machine, without it
}

func newGuard(l Limits) *guard {
	return &guard{
		limits: l, place: rate.NewNewcomers[place](l.NewMachines, maxPlaces), from: rate.NewNewcomers[sender](l.NewMachines, maxMachines),
	}
}

// sender is who sent a packet. A relay that looks at nothing but layer 2 is a switch, and its Interface-Id one
// port (RFC 6221 section 5.3.2); that of a router is a whole network.
func (h Heard) sender() sender {
	s := sender{place: h.place(), peer: h.client()}
	if r := h.View.First(); r != nil && r.Link.IsUnspecified() {
		if id, ok := r.Options.Get(wire.InterfaceID); ok {
			s.port, s.peer = string(id[:min(len(id), maxPort)]), netip.Addr{}
		}
	}
	return s
}

// maxPort is what is looked at of the name of a port.
const maxPort = 64

// admit reports whether a machine may have an address that it did not have: one that is known always.
func (g *guard) admit(now time.Time, h Heard, s *scope, id lease.ID, book *lease.Book) boot.Reason {
	if book.Has(s.Name, id) {
		return boot.Answered
	}
	if _, reserved := s.Hosts[id]; reserved {
		return boot.Answered
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	from, open := h.sender(), g.limits.Offered
	if from.port == "" {
		open = g.limits.PerSender
	}
	if !g.from.Admit(now, from, open) || !g.place.Admit(now, from.place, 0) {
		return boot.StarvationLimit
	}
	return boot.Answered
}

// taken notes that an offer was asked for. What one address takes counts all the same: it is one machine.
func (g *guard) taken(now time.Time, h Heard) {
	if from := h.sender(); from.port != "" {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.from.Taken(now, from)
	}
}
