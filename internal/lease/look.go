package lease

import (
	"net/netip"
	"slices"
)

// ByID finds the lease of an ID: the one that it has, or had last.
func (b *Book) ByID(scope string, id ID) (Record, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scopes[scope]
	if s == nil || s.ids[id].row == 0 {
		return Record{}, false
	}
	return s.record(s.rows.at(s.ids[id].row)), true
}

// Has reports whether an ID has an address: a lease, also one that ended, or an offer that stands.
func (b *Book) Has(scope string, id ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scopes[scope]
	return s != nil && s.ids[id] != ref{}
}

// ByAddr finds what is kept of an address. An address that is in two scopes, one of which is gone,
// is looked up in the other.
func (b *Book) ByAddr(addr netip.Addr) (Record, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var found Record
	addr = unmapped(addr)
	for _, s := range b.scopes {
		pos, ok := s.plan.find(addr)
		if !ok {
			continue
		}
		if w := s.row(pos); w != nil && (found.Scope == "" || s.given) {
			found = s.record(w)
		}
	}
	return found, found.Scope != ""
}

// Each calls f for each record of a scope, or of all with "", until it returns false. f may call the
// Book: nothing is locked meanwhile, and what changes meanwhile may or may not be seen.
func (b *Book) Each(scope string, f func(Record) bool) {
	names := []string{scope}
	if scope == "" {
		names = b.names()
		slices.Sort(names)
	}
	for _, name := range names {
		if !b.each(name, f) {
			return
		}
	}
}

func (b *Book) each(scope string, f func(Record) bool) bool {
	var records []Record
	for from := uint32(0); ; from += piece {
		records = records[:0]
		b.mu.Lock()
		s := b.scopes[scope]
		if s == nil || int(from) >= len(s.cells) {
			b.mu.Unlock()
			return true
		}
		for pos := from; pos < from+piece && int(pos) < len(s.cells); pos++ {
			if w := s.row(pos); w != nil {
				records = append(records, s.record(w))
			}
		}
		b.mu.Unlock()
		for _, r := range records {
			if !f(r) {
				return false
			}
		}
	}
}

// Addresses is how many addresses the ranges of all scopes have.
func (b *Book) Addresses() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, s := range b.scopes {
		if s.given {
			n += int(s.plan.size)
		}
	}
	return n
}

// Usage says how full a scope is, looking at a piece of it at a time.
func (b *Book) Usage(scope string) Usage {
	var u Usage
	for from := uint32(0); ; from += piece {
		b.mu.Lock()
		s := b.scopes[scope]
		if s == nil || int(from) >= len(s.cells) {
			b.mu.Unlock()
			return u
		}
		for pos := from; pos < from+piece && int(pos) < len(s.cells); pos++ {
			s.count(pos, &u)
		}
		b.mu.Unlock()
	}
}

// count adds an address to what it counts as. A lease on an address that is not given any more
// counts while it lasts.
func (s *scope) count(pos uint32, u *Usage) {
	w, k := s.row(pos), s.kinds[pos]
	busy := !w.blank() && !w.ended
	switch {
	case busy && w.state == Active:
		u.Active++
	case busy && w.state == Declined:
		u.Declined++
	case k == notGiven:
		return
	case s.cells[pos].hold != 0 || busy && w.state == Offered:
		u.Offered++
	case k == reserved || k == unverified:
		u.Reserved++
	case !w.blank():
		u.Resting++
	default:
		u.Free++
	}
	u.Size++
}
