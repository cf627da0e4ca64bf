package lease

import (
	"slices"
	"time"
)

// SetOwn says which addresses of a scope are this node's own blocks. Without shared everything is
// its own, and nothing needs a claim. The records of a block, up to its grant, are loaded and on
// the node's own disk before it is named here.
func (b *Book) SetOwn(scope string, blocks []Range, shared bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shared = shared
	s := b.scopes[scope]
	if s == nil || s.shared == shared && slices.Equal(s.ownIn, blocks) {
		return
	}
	s.shared, s.ownIn = shared, slices.Clone(blocks)
	s.relayout(b.contact)
}

// SetOthers says which addresses are in the blocks of other nodes: they are given by their owners
// alone, and leases there are only prolonged. A block is named here as soon as its grant is seen.
// Where nodes split a range and share no store, leases there are theirs altogether.
func (b *Book) SetOthers(scope string, blocks []Range) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scopes[scope]
	if s == nil || slices.Equal(s.othersIn, blocks) {
		return
	}
	s.othersIn = slices.Clone(blocks)
	s.relayout(b.contact)
}

// relayout cannot fail: the pool is the one that was accepted before.
func (s *scope) relayout(contact bool) { _ = s.layout(s.pool, s.given, contact || !s.shared) }

// Contact says whether the shared store answers. It is said to be there after its records were
// loaded and the node's own (Record.Own) were published.
func (b *Book) Contact(ok bool, _ time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.contact = ok
	if !ok {
		return
	}
	for _, s := range b.scopes {
		for _, pos := range s.reserved {
			if s.kinds[pos] == unverified {
				s.kinds[pos] = reserved
			}
		}
	}
}

// Doubt says that the clocks of this node and of another one differ by more than MostSkew, or did a short
// while ago (Pool.Hold). Then no address passes from one ID to another here: only those that nobody had are
// given to new machines. Everybody keeps what he has.
func (b *Book) Doubt(in bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doubt = in
}

// GiveUp takes one of the node's own blocks out of use, as if it was another node's, if nothing in it is
// offered or on its way. It may pass to others when its records are published and the node's own disk does
// not name it any more.
func (b *Book) GiveUp(now time.Time, scope string, r Range) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scopes[scope]
	if s == nil || !s.shared || !slices.Contains(s.ownIn, r) {
		return false
	}
	for a := r.From; r.Contains(a); a = a.Next() {
		if pos, ok := s.plan.find(a); ok && s.hold(pos, second(now)) != nil {
			return false
		}
	}
	s.ownIn = slices.DeleteFunc(slices.Clone(s.ownIn), func(o Range) bool { return o == r })
	s.othersIn = append(slices.Clone(s.othersIn), r)
	s.relayout(b.contact)
	return true
}

// Open is how many addresses of a scope are in nobody's block and could be claimed for a new machine now,
// counted up to a number.
func (b *Book) Open(now time.Time, scope string, most int) (n int) {
	t := second(now)
	for from := uint32(0); n < most; from += piece {
		b.mu.Lock()
		s, _ := b.serving(scope)
		if s == nil || from >= s.plan.size {
			b.mu.Unlock()
			break
		}
		for pos := from; pos < min(from+piece, s.plan.size); pos++ {
			w := s.row(pos)
			if s.kinds[pos] == ordinary && s.hold(pos, t) == nil && (w.blank() || !b.doubt && t > plus(w.expires, s.rest())) {
				n++
			}
		}
		b.mu.Unlock()
	}
	return min(n, most)
}

// Sweep makes addresses of the node's own blocks fresh again whose leases are over: at most so
// many grants, each to be claimed like any other. Only a fresh address passes to another ID without
// the shared store, since of any other it may know a lease that this node does not.
func (b *Book) Sweep(now time.Time, scope string, most int) []Grant {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, _ := b.serving(scope)
	if s == nil || !s.shared || !b.contact || b.doubt {
		return nil
	}
	var out []Grant
	t := second(now)
	s.expire(t, -1)
	for len(out) < most {
		pos, ok := s.oldest(int(own - ordinary))
		if !ok || t <= plus(s.row(pos).expires, s.rest()) {
			break
		}
		g, used := s.over(pos)
		g.Keep, g.Claim = true, true
		g.Record = Record{
			Scope: scope, Addr: s.plan.addr(pos), Start: fromSecond(t), Expires: fromSecond(t), Node: b.node, Serial: used + 1,
		}
		s.send(pos, &g)
		out = append(out, g)
	}
	return out
}
