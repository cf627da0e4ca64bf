package lease

import (
	"net/netip"
	"time"
)

// kind says who may get the address of a position.
type kind uint8

const (
	notGiven kind = iota // outside the ranges, excluded, the network's or broadcast address
	ordinary
	own        // in one of this node's blocks
	others     // in a block of another node
	reserved   // for one ID
	unverified // the same, but told while the shared store did not answer
)

// nowhere is the position of what is not in use.
const nowhere = 1<<32 - 1

// cell is what is known of one position: indices into rows and holds, 0 for none.
type cell struct{ row, hold uint32 }

// ref is what is known of one ID.
type ref struct{ row, hold uint32 }

// hold keeps an address for an ID in memory: from an OFFER on (Q7), and while a record of it is
// on its way to the disk or the shared store.
type hold struct {
	id         ID
	pos        uint32 // nowhere: not in use
	until, due uint32 // until: an OFFER stands; 0: there was none
	pending    uint32 // records on their way
	first      uint64 // Serial of the first record that was sent under this hold
	serial     uint64 // and of the last
	end        uint32 // the latest end that they promise
}

// scope is the addresses of one scope and everything about them.
type scope struct {
	pool     Pool
	given    bool // it is configured: a scope that is gone is shown and not given
	shared   bool
	ownIn    []Range
	othersIn []Range

	plan     plan
	cells    []cell
	kinds    []kind
	reserved map[ID]uint32
	fresh    [2]bitmap // nobody had it before, no hold: ordinary ones, and own ones
	aged     [2]timers // ended rows by the time of their end, the same two

	rows   slab[row]
	holds  slab[hold]
	ids    map[ID]ref
	ending timers // of rows
	lapse  timers // of holds
	burnt  map[netip.Addr]uint64
	nodes  []string
}

// rest is how long an ended lease waits. Clocks of several nodes differ, so there it is a minute
// at least.
func (s *scope) rest() time.Duration {
	if s.shared {
		return max(s.pool.Rest, leastRest)
	}
	return s.pool.Rest
}

// row returns the row of a position, or nil.
func (s *scope) row(pos uint32) *row {
	if i := s.cells[pos].row; i != 0 {
		return s.rows.at(i)
	}
	return nil
}

// hold returns the hold of a position, or nil, also if its time is over and nothing is pending.
func (s *scope) hold(pos, now uint32) *hold {
	i := s.cells[pos].hold
	if i == 0 {
		return nil
	}
	h := s.holds.at(i)
	if h.pending == 0 && now > h.until {
		s.drop(pos)
		return nil
	}
	return h
}

// keep makes the hold of an ID on a position that it may have, or prolongs it. An older one of
// the same ID elsewhere ends, unless a record of it is on its way.
func (s *scope) keep(pos uint32, id ID, until uint32) *hold {
	r := s.ids[id]
	if r.hold != 0 {
		if old := s.holds.at(r.hold); old.pos != pos && old.pending == 0 {
			s.drop(old.pos)
			r = s.ids[id]
		}
	}
	i := s.cells[pos].hold
	if i == 0 {
		i = s.holds.add()
		s.cells[pos].hold = i
		*s.holds.at(i) = hold{id: id, pos: pos}
		s.settle(pos)
	}
	if !id.IsZero() && r.hold != i {
		r.hold = i
		s.ids[id] = r
	}
	h := s.holds.at(i)
	if until > h.until {
		h.until = until
		s.lapse.put(&h.due, until, i)
	}
	return h
}

// drop ends the hold of a position.
func (s *scope) drop(pos uint32) {
	i := s.cells[pos].hold
	if i == 0 {
		return
	}
	h := s.holds.at(i)
	s.burn(pos, h.serial)
	if r := s.ids[h.id]; r.hold == i {
		r.hold = 0
		s.setRef(h.id, r)
	}
	s.cells[pos].hold = 0
	s.holds.remove(i)
	s.holds.at(i).pos = nowhere
	s.settle(pos)
}

func (s *scope) setRef(id ID, r ref) {
	if r == (ref{}) {
		delete(s.ids, id)
		return
	}
	s.ids[id] = r
}

// settle makes the sets of free addresses agree with a position.
func (s *scope) settle(pos uint32) {
	k := s.kinds[pos]
	if k != ordinary && k != own {
		return
	}
	c, w, set := s.cells[pos], s.row(pos), int(k-ordinary)
	if w.blank() && c.hold == 0 {
		s.fresh[set].set(pos)
		return
	}
	s.fresh[set].clear(pos)
	if c.hold == 0 && w.ended && w.aged == 0 {
		s.aged[set].put(&w.aged, w.expires, c.row)
	}
}

// burn remembers a Serial that was used and is in no row, so that it is never used again.
func (s *scope) burn(pos uint32, serial uint64) {
	w := s.row(pos)
	if serial == 0 || w != nil && w.serial >= serial {
		return
	}
	if a := s.plan.addr(pos); s.burnt[a] < serial {
		s.burnt[a] = serial
	}
}

// serials returns the Serial of what was kept last, and the last one used.
func (s *scope) serials(pos uint32) (kept, used uint64) {
	if w := s.row(pos); w != nil {
		kept = w.serial
	}
	used = kept
	if len(s.burnt) > 0 {
		used = max(used, s.burnt[s.plan.addr(pos)])
	}
	if i := s.cells[pos].hold; i != 0 {
		used = max(used, s.holds.at(i).serial)
	}
	return kept, used
}

// place returns the position of an address, a new one if it has none.
func (s *scope) place(a netip.Addr) uint32 {
	if pos, ok := s.plan.find(a); ok {
		return pos
	}
	pos := s.plan.add(a)
	s.cells = append(s.cells, cell{})
	s.kinds = append(s.kinds, notGiven)
	return pos
}
