package lease

import "net/netip"

// A network that is renamed, or whose subnet goes over to another, takes its leases with it: its machines
// go on using their addresses, and the scope that gives these addresses now must know of it. A record
// that names a scope which does not give its address goes to the scope whose subnet it is in.
//
// Several nodes have their records under the names of scopes in the shared store, and change over to
// another site file one after the other: there everything stays where it is.

// adoptAll moves the records of addresses that are another scope's by now.
func (b *Book) adoptAll() {
	for _, s := range b.scopes {
		if s.shared {
			continue
		}
		for i := range s.rows.used {
			if w := s.rows.at(i + 1); w.pos != nowhere && s.row(w.pos) == w {
				b.adopt(s, w.pos)
			}
		}
	}
}

// adopt moves the record of one address, if another scope gives it.
func (b *Book) adopt(s *scope, pos uint32) {
	w := s.row(pos)
	if w == nil || s.shared {
		return
	}
	a := s.plan.addr(pos)
	if s.given && s.pool.Subnet.Contains(a) {
		return
	}
	to := b.giver(a)
	if to == nil || to == s || to.shared {
		return
	}
	r := s.record(w)
	r.Scope = to.pool.Scope
	if at := to.place(a); to.apply(at, &r) {
		to.void(at, &r)
	}
	s.remove(pos)
}

// giver returns the scope whose subnet an address is in.
func (b *Book) giver(a netip.Addr) *scope {
	for _, s := range b.scopes {
		if s.given && s.pool.Subnet.Contains(a) {
			return s
		}
	}
	return nil
}

// remove forgets what is kept of an address. What waits in timers for its row is stale then.
func (s *scope) remove(pos uint32) {
	i := s.cells[pos].row
	s.unlink(s.rows.at(i))
	s.cells[pos].row = 0
	s.rows.remove(i)
	s.rows.at(i).pos = nowhere
	s.settle(pos)
}
