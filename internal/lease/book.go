package lease

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"surefoot/internal/boot"
)

// Book is the leases of one node. It is safe for concurrent use: one lock, held for short
// sections.
type Book struct {
	node string

	mu      sync.Mutex // guards everything below
	scopes  map[string]*scope
	shared  bool // scopes that come up later are shared as well
	contact bool // the shared store answers
	doubt   bool // see Doubt
	began   uint32
}

// NewBook makes a Book of the pools.
func NewBook(node string, pools []Pool) (*Book, error) {
	b := &Book{node: node, scopes: map[string]*scope{}}
	// Reservations that a node starts with are believed: a node that is alone after a restart has
	// to answer somebody (Q4).
	return b, b.configure(pools, true)
}

// Began says when the node began to answer, after all was loaded. What it offered before is not known.
func (b *Book) Began(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.began = second(now)
}

// Configure takes new pools, all or none. Leases stay: those on addresses that are not given any
// more until they end or their machines renew them, and those of scopes that are gone to be shown.
func (b *Book) Configure(pools []Pool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.configure(pools, false)
}

func (b *Book) configure(pools []Pool, starting bool) error {
	checked := make(map[string]Pool, len(pools))
	for _, p := range pools {
		p, err := p.withDefaults()
		if err != nil {
			return err
		}
		if _, twice := checked[p.Scope]; twice {
			return fmt.Errorf("scope %s: twice", p.Scope)
		}
		if _, err := newPlan(p.Ranges); err != nil {
			return fmt.Errorf("scope %s: %w", p.Scope, err)
		}
		checked[p.Scope] = p
	}
	for name, s := range b.scopes {
		if _, stays := checked[name]; !stays && s.given {
			if err := s.layout(s.pool, false, true); err != nil {
				return err
			}
		}
	}
	for name, p := range checked {
		s := b.scope(name)
		if s.given && sameAddresses(s.pool, p) {
			s.pool = p
			continue
		}
		if err := s.layout(p, true, starting || !s.shared || b.contact); err != nil {
			return err
		}
	}
	b.adoptAll()
	return nil
}

// scope returns the scope of a name; one that is not configured is made, and gives nothing.
func (b *Book) scope(name string) *scope {
	s := b.scopes[name]
	if s == nil {
		s = &scope{pool: Pool{Scope: name}, shared: b.shared, nodes: []string{"", b.node}}
		s.ids, s.burnt = map[ID]ref{}, map[netip.Addr]uint64{}
		s.plan, _ = newPlan(nil)
		s.fresh = [2]bitmap{newBitmap(0), newBitmap(0)}
		b.scopes[name] = s
	}
	return s
}

// sameAddresses reports that two pools differ in nothing but times.
func sameAddresses(a, b Pool) bool {
	return a.Subnet == b.Subnet && slices.Equal(a.Ranges, b.Ranges) && slices.Equal(a.Exclude, b.Exclude) &&
		maps.Equal(a.Reserved, b.Reserved)
}

// serving returns a scope that gives addresses.
func (b *Book) serving(name string) (*scope, boot.Reason) {
	s := b.scopes[name]
	if s == nil || !s.given {
		return nil, boot.ScopeUnknown
	}
	return s, boot.Answered
}

// Expire ends what is over by the clock, and says how many leases that were. It costs what it
// ends. Call it every second or so.
func (b *Book) Expire(now time.Time) int {
	n, t := 0, second(now)
	for _, name := range b.names() {
		for more := true; more; {
			b.mu.Lock()
			s := b.scopes[name]
			n += s.expire(t, piece)
			more = s.overdue(t)
			b.mu.Unlock()
		}
	}
	return n
}

// piece is how much is done under one lock, of what may be long.
const piece = 1024

// names returns those of all scopes, which are never taken away.
func (b *Book) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.scopes))
}

// overdue reports whether expire has more to do.
func (s *scope) overdue(now uint32) bool {
	row, _, ok := s.ending.top()
	hold, _, ok2 := s.lapse.top()
	return ok && row < now || ok2 && hold < now
}

// expire ends at most so many rows and holds, the earliest first, or all with -1.
func (s *scope) expire(now uint32, most int) (leases int) {
	for done := 0; done != most; done++ {
		at, i, ok := s.ending.top()
		if !ok || at >= now {
			break
		}
		s.ending.pop()
		w := s.rows.at(i)
		switch {
		case w.due != at:
			continue // stale: it was brought forward
		case w.live(now):
			w.due = 0
			s.ending.put(&w.due, w.expires, i)
			continue
		}
		w.due = 0
		if w.state != Free && !w.ended {
			w.ended = true
			if w.state == Active {
				leases++
			}
			s.settle(w.pos)
		}
	}
	for done := 0; done != most; done++ {
		at, i, ok := s.lapse.top()
		if !ok || at >= now {
			break
		}
		s.lapse.pop()
		h := s.holds.at(i)
		if h.due != at {
			continue
		}
		h.due = 0
		switch {
		case h.pending > 0: // a store that has not answered yet
			s.lapse.put(&h.due, now, i)
		case now <= h.until:
			s.lapse.put(&h.due, h.until, i)
		default:
			s.drop(h.pos)
		}
	}
	return leases
}
