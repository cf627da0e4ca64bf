package tftp

import (
	"container/list"
	"net/netip"
	"time"

	"surefoot/internal/boot"
)

// Defaults of Limits.
const (
	DefaultMaxTransfers = 4096
	DefaultQueue        = 4096
	// DefaultQueueTime is how long a request waits for a place before it is refused: shorter than any
	// firmware's own patience (plain ROMs 10 s, iPXE 16 s, EDK2 24 s), so that the refusal still
	// reaches a client that can go on to its next server.
	DefaultQueueTime = 8 * time.Second
)

// Limits say how many transfers run at the same time, and what becomes of a request beyond. Zero
// means the default.
type Limits struct {
	Transfers  int           // in all
	PerClient  int           // of one client address; default: an eighth of Transfers, but at least 16
	PerNetwork int           // of one network, as Deps.Network names them; default: Transfers
	Queue      int           // requests that wait for a place; < 0: none
	QueueTime  time.Duration // how long one waits before it is refused
}

func (l Limits) withDefaults() Limits {
	if l.Transfers <= 0 {
		l.Transfers = DefaultMaxTransfers
	}
	if l.PerClient <= 0 {
		l.PerClient = share(l.Transfers)
	}
	if l.PerNetwork <= 0 {
		l.PerNetwork = l.Transfers
	}
	if l.Queue == 0 {
		l.Queue = DefaultQueue
	}
	if l.QueueTime <= 0 {
		l.QueueTime = DefaultQueueTime
	}
	return l
}

// Limits returns the limits that the server keeps, with the defaults filled in.
func (s *Server) Limits() Limits { return s.cfg.Limits }

// share is what one client address may have of many: as much as a balancer with its own source
// address gets along with, and little enough to leave room for the others.
func share(of int) int { return max(16, of/8) }

const (
	// maxUnproven is how many transfers an address may have of which nothing was ever
	// acknowledged. An address that somebody forged gets no more than their first packets: what
	// asked for them waits, and is refused. A real one acknowledges within milliseconds.
	maxUnproven = 32
	// silentFor is how long a client may acknowledge nothing before its transfer has to make room for
	// another, where there is none. A real client answers within milliseconds; what a forged address
	// asked for would hold its place until the transfer is given up.
	silentFor = 2 * time.Second
	// maxLook bounds how much of a list is looked through while everybody waits.
	maxLook = 128
)

// source is the account of one client address, as long as it has anything.
type source struct {
	addr    netip.Addr
	network string
	live    int           // transfers that run
	silent  int           // of these, those whose client acknowledged nothing yet
	proven  bool          // something was acknowledged: the address is no forgery
	waiting list.List     // of *transfer, the first come in front
	turn    *list.Element // its place in the queue's ring while it has any waiting
	held    bool          // something is being done with it
}

// full says which limit a further transfer of an address would break, or "". r.mu is held.
func (r *registry) full(s *source) boot.Reason {
	switch {
	case r.running >= r.limits.Transfers:
		return boot.TooManyTransfers
	case s.live >= r.limits.PerClient:
		return boot.TooManyOfClient
	case r.networks[s.network] >= r.limits.PerNetwork:
		return boot.TooManyOfNetwork
	case !s.proven && s.silent >= maxUnproven:
		return boot.UnprovenClient
	}
	return ""
}

// source finds an address's account, or opens it. r.mu is held.
func (r *registry) source(a netip.Addr) *source {
	s := r.sources[a]
	if s != nil {
		return s
	}
	s = &source{addr: a}
	if r.network != nil {
		s.network = r.network(a)
	}
	if r.sources == nil {
		r.sources, r.networks = map[netip.Addr]*source{}, map[string]int{}
	}
	r.sources[a] = s
	return s
}

// settle closes an account that has nothing any more. r.mu is held.
func (r *registry) settle(s *source) {
	if s.live == 0 && s.waiting.Len() == 0 && !s.held {
		delete(r.sources, s.addr)
	}
}

// hold keeps an account open until the function that it returns is called. r.mu is held.
func (r *registry) hold(s *source) (release func()) {
	s.held = true
	return func() {
		s.held = false
		r.settle(s)
	}
}

// enter books a transfer that begins to run. r.mu is held.
func (r *registry) enter(t *transfer, s *source, now time.Time) {
	r.running++
	r.networks[s.network]++
	s.live++
	s.silent++
	t.account, t.placed = s, now
	t.place = r.silent.PushBack(t)
	t.live, r.live = true, r.live+1
}

// leave takes a running transfer out of all accounts. r.mu is held.
func (r *registry) leave(t *transfer) {
	s := t.account
	r.speaks(t)
	r.running--
	if r.networks[s.network]--; r.networks[s.network] == 0 {
		delete(r.networks, s.network)
	}
	s.live--
	t.account = nil
	r.settle(s)
}

// speaks books that a client acknowledged something, or that it does not matter any more.
func (r *registry) speaks(t *transfer) {
	if t.place != nil {
		r.silent.Remove(t.place)
		t.place = nil
		t.account.silent--
	}
}

// makeRoom ends the transfer that has been silent longest, if that is long enough, where a
// transfer of that address would find all places taken. r.mu is held.
func (r *registry) makeRoom(s *source, why boot.Reason, now time.Time) bool {
	e := r.silent.Front()
	for range maxLook {
		if e == nil {
			return false
		}
		victim := e.Value.(*transfer)
		if now.Sub(victim.placed) < silentFor {
			return false
		}
		if why == boot.TooManyTransfers || why == boot.TooManyOfNetwork && victim.account.network == s.network {
			r.forget(victim)
			victim.interrupt(displaced)
			return true
		}
		e = e.Next()
	}
	return false
}
