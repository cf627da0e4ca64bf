package lease

import (
	"fmt"
	"net/netip"
	"time"
)

// withDefaults fills in what is zero, and checks the rest.
func (p Pool) withDefaults() (Pool, error) {
	span := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
		*d = d.Round(time.Second)
	}
	span(&p.Lease, time.Hour)
	span(&p.MinLease, min(time.Minute, p.Lease))
	span(&p.MaxLease, p.Lease)
	span(&p.Offer, time.Minute)
	span(&p.Decline, time.Hour)
	p.Rest = max(p.Rest, 0)
	if p.Scope == "" {
		return p, fmt.Errorf("a pool without the name of its scope")
	}
	bad := func(format string, args ...any) (Pool, error) {
		return p, fmt.Errorf("scope "+p.Scope+": "+format, args...)
	}
	if !p.Subnet.IsValid() {
		return bad("no subnet")
	}
	p.Subnet = p.Subnet.Masked()
	if p.MinLease > p.Lease || p.Lease > p.MaxLease {
		return bad("lease times %s, %s, %s: not from the least to the most", p.MinLease, p.Lease, p.MaxLease)
	}
	for _, r := range p.Ranges {
		if !p.Subnet.Contains(r.From) || !p.Subnet.Contains(r.To) {
			return bad("range %s-%s: outside %s", r.From, r.To, p.Subnet)
		}
	}
	who := make(map[netip.Addr]ID, len(p.Reserved))
	for id, a := range p.Reserved {
		first, twice := who[a]
		switch {
		case id.IsZero():
			return bad("reservation of %s: for nobody", a)
		case !p.Subnet.Contains(a) || edge(p.Subnet, a):
			return bad("reservation of %s for %s: not an address of a machine in %s", a, id, p.Subnet)
		case twice:
			return bad("reservation of %s: for %s and for %s", a, first, id)
		}
		who[a] = id
	}
	return p, nil
}

// edge reports the network's own address and its broadcast address (RFC 1122 3.2.1.3; networks of
// two addresses have neither, RFC 3021), and for IPv6 the anycast address of its routers (RFC 4291
// 2.6.1).
func edge(subnet netip.Prefix, a netip.Addr) bool {
	if subnet.Bits() >= a.BitLen()-1 {
		return false
	}
	if a == subnet.Addr() {
		return true
	}
	return a.Is4() && !subnet.Contains(a.Next())
}

// layout numbers the addresses anew, after the pool or the blocks changed. Rows and holds stay
// what they are, at their new positions. It costs some 100 ns for each address.
func (s *scope) layout(pool Pool, given, verified bool) error {
	next, err := newPlan(pool.Ranges)
	if err != nil {
		return fmt.Errorf("scope %s: %w", pool.Scope, err)
	}
	was, wasKinds, wasReserved := s.plan, s.kinds, s.reserved
	s.pool, s.given, s.plan = pool, given, next
	s.cells = make([]cell, next.size)
	s.kinds = make([]kind, next.size)
	s.reserved = make(map[ID]uint32, len(pool.Reserved))
	s.fresh = [2]bitmap{newBitmap(int(next.size)), newBitmap(int(next.size))}
	s.aged = [2]timers{}
	for i := range s.rows.used {
		if w := s.rows.at(i + 1); w.pos != nowhere {
			w.pos, w.aged = s.place(was.addr(w.pos)), 0
			s.cells[w.pos].row = i + 1
		}
	}
	for i := range s.holds.used {
		if h := s.holds.at(i + 1); h.pos != nowhere {
			h.pos = s.place(was.addr(h.pos))
			s.cells[h.pos].hold = i + 1
		}
	}
	if !given {
		return nil
	}
	for id, a := range pool.Reserved {
		pos := s.place(a)
		s.reserved[id] = pos
	}
	s.classify()
	for id, pos := range s.reserved {
		s.kinds[pos] = reserved
		before, had := wasReserved[id]
		if !verified && !(had && wasKinds[before] == reserved && was.addr(before) == pool.Reserved[id]) {
			s.kinds[pos] = unverified
		}
	}
	for pos := range s.plan.size {
		s.settle(pos)
	}
	return nil
}

// classify says of each address of the ranges who may get it.
func (s *scope) classify() {
	for pos := range s.kinds[:s.plan.size] {
		s.kinds[pos] = ordinary
	}
	paint := func(r Range, k kind) {
		for _, sp := range s.plan.spans {
			from, to := s.plan.addr(sp.first), s.plan.addr(sp.first+sp.count-1)
			if r.To.Less(from) || to.Less(r.From) {
				continue
			}
			if from.Less(r.From) {
				from = r.From
			}
			if r.To.Less(to) {
				to = r.To
			}
			first, ok := s.plan.find(from)
			last, ok2 := s.plan.find(to)
			for pos := first; ok && ok2 && pos <= last; pos++ {
				s.kinds[pos] = k
			}
		}
	}
	theirs := notGiven // a range split between nodes that share nothing
	if s.shared {
		theirs = others
		for _, r := range s.ownIn {
			paint(r, own)
		}
	}
	for _, r := range s.othersIn {
		paint(r, theirs)
	}
	for _, a := range s.pool.Exclude {
		if pos, ok := s.plan.find(a); ok {
			s.kinds[pos] = notGiven
		}
	}
	for _, sp := range s.plan.spans {
		for _, pos := range [...]uint32{sp.first, sp.first + sp.count - 1} {
			if edge(s.pool.Subnet, s.plan.addr(pos)) {
				s.kinds[pos] = notGiven
			}
		}
	}
}
