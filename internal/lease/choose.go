package lease

import "time"

// asking is an Ask on its way through a scope.
type asking struct {
	*Ask
	now     uint32
	offline bool // the shared store does not answer, or is not to be waited for
	doubt   bool // this node's clock may be off: no address passes to another ID
	began   uint32
	claim   bool // found: the address has to be claimed in the shared store first
}

func (b *Book) asking(now time.Time, a *Ask) asking {
	return asking{Ask: a, now: second(now), offline: b.offline(a), doubt: b.doubt, began: b.began}
}

// mine reports that a row is this ID's: it has the address, or had it last.
func (w *row) mine(id ID) bool { return w != nil && w.id == id && !w.blank() && w.state != Declined }

// usable reports whether an ID may get the address of a position, and whether that needs a claim.
// The rules for several nodes stand in the comment of the package.
func (s *scope) usable(pos uint32, q *asking) bool {
	w, h := s.row(pos), s.hold(pos, q.now)
	same := w.mine(q.ID)
	leased := same && w.state == Active && w.live(q.now)
	q.claim = false
	switch k := s.kinds[pos]; {
	case h != nil && h.id != q.ID:
		return false
	case !w.blank() && !same && (s.shared && q.doubt || q.now <= plus(w.expires, s.rest())):
		return false
	case k == notGiven:
		return false
	case k == others && !leased:
		return false
	case (k == reserved || k == unverified) && !s.reservedFor(q.ID, pos):
		return false
	}
	if !s.shared || s.authority(pos, q) {
		return true
	}
	if s.kinds[pos] == own {
		return false // it had another holder: after Sweep
	}
	if q.offline {
		// Nothing may be promised but what the store has; it is not worth an OFFER if it is about
		// to end.
		return leased && w.expires >= plus(q.now, s.pool.Offer)
	}
	// What the store keeps for this ID until long after the OFFER needs no second claim.
	kept := same && (w.state == Active || w.state == Offered) && plus(w.expires, s.rest()) >= plus(q.now, s.pool.Offer)
	q.claim = !kept
	return true
}

func (s *scope) reservedFor(id ID, pos uint32) bool {
	at, ok := s.reserved[id]
	return ok && at == pos
}

// authority reports whether this node may give the address to the ID without asking the shared
// store: nobody else can give it to anybody, and nobody else can have it.
func (s *scope) authority(pos uint32, q *asking) bool {
	if !s.shared {
		return true
	}
	w := s.row(pos)
	if !w.blank() && !w.mine(q.ID) {
		return false
	}
	return s.kinds[pos] == own || s.kinds[pos] == reserved && q.offline && s.reservedFor(q.ID, pos)
}

// choose finds an address for an ID: its reservation, what it was offered, what it has or had
// last, what it wishes for, the free one that its ID leads to, the one that ended longest ago.
func (s *scope) choose(q *asking) (uint32, bool) {
	if pos, ok := s.reserved[q.ID]; ok && s.usable(pos, q) {
		return pos, true
	}
	r := s.ids[q.ID]
	if r.hold != 0 {
		if pos := s.holds.at(r.hold).pos; s.usable(pos, q) {
			return pos, true
		}
	}
	if r.row != 0 {
		if pos := s.rows.at(r.row).pos; s.usable(pos, q) {
			return pos, true
		}
	}
	if q.Again {
		return 0, false
	}
	if pos, ok := s.plan.find(q.Want); ok && s.usable(pos, q) {
		return pos, true
	}
	if s.plan.size == 0 {
		return 0, false
	}
	// Every node starts at the same place for the same ID, so that two nodes that both heard it
	// propose one address, and the second claim finds the first one's record.
	start := uint32(q.ID.hash() >> 32 * uint64(s.plan.size) >> 32)
	for set := range s.fresh {
		if set == 0 && s.shared && q.offline {
			continue
		}
		if pos, ok := s.fresh[set].next(start); ok && s.usable(pos, q) {
			return pos, true
		}
	}
	if s.shared && q.offline {
		return 0, false // others may know more of an address that had a holder
	}
	for {
		if pos, ok := s.oldest(0); ok && s.usable(pos, q) {
			return pos, true
		}
		if at, _, ok := s.ending.top(); !ok || at >= q.now {
			return 0, false
		}
		s.expire(q.now, piece)
	}
}

// oldest returns the position whose lease ended first and that nothing keeps.
func (s *scope) oldest(set int) (uint32, bool) {
	t := &s.aged[set]
	for {
		at, i, ok := t.top()
		if !ok {
			return 0, false
		}
		w := s.rows.at(i)
		switch {
		case w.aged == at && w.ended && s.cells[w.pos].hold == 0 && w.expires == at:
			return w.pos, true
		case w.aged == at:
			t.pop()
			w.aged = 0
			s.settle(w.pos)
		default:
			t.pop()
		}
	}
}

// hash spreads IDs over a pool: FNV-1a and the finalizer of SplitMix64. It must be the same on
// every node, and for ever.
func (id *ID) hash() uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	h = (h ^ uint64(id.Kind)) * prime
	h = (h ^ uint64(id.HType)) * prime
	h = (h ^ uint64(id.Len)) * prime
	for _, c := range id.B[:min(int(id.Len), len(id.B))] {
		h = (h ^ uint64(c)) * prime
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
