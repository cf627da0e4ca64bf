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

// Sweep makes addresses of the node's own blocks fresh again whose leases are over: at most so
// many grants, each to be claimed like any other. Only a fresh address can be given while the
// shared store does not answer, since of any other it may know a lease that this node does not.
func (b *Book) Sweep(now time.Time, scope string, most int) []Grant {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, _ := b.serving(scope)
	if s == nil || !s.shared || !b.contact {
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
		kept, used := s.serials(pos)
		g := Grant{Prev: kept, Keep: true, Claim: true, Record: Record{
			Scope: scope, Addr: s.plan.addr(pos), Start: fromSecond(t), Expires: fromSecond(t), Node: b.node, Serial: used + 1,
		}}
		s.send(pos, &g)
		out = append(out, g)
	}
	return out
}
