package lease

import (
	"net/netip"
	"time"

	"surefoot/internal/boot"
)

// Committed takes what the Keeper said of a record. On success the record is the truth, on
// failure the former one stays; the OFFER before it stands until its time is over. A claim that
// was lost is reported after Load of what the shared store has instead.
func (b *Book) Committed(r Record, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scopes[r.Scope]
	if s == nil || !r.Addr.IsValid() {
		return
	}
	pos := s.place(r.Addr)
	var h *hold
	if i := s.cells[pos].hold; i != 0 && s.holds.at(i).id == r.ID && r.State != Declined {
		h = s.holds.at(i)
		if r.Serial >= h.first { // not one of a hold that was voided
			h.pending -= min(h.pending, 1)
		}
	}
	if err == nil {
		before := s.ids[r.ID].row
		s.apply(pos, &r)
		if !s.shared && r.State == Active {
			s.supersede(before, pos, r.Start)
		}
	}
	if h != nil && h.pending == 0 && !s.offerStands(h) {
		s.drop(pos)
	}
	b.adopt(s, pos)
}

// offerStands reports that a hold of which nothing is on its way any more is of an OFFER that its
// lease does not cover.
func (s *scope) offerStands(h *hold) bool {
	w := s.row(h.pos)
	return h.until != 0 && !(w.mine(h.id) && w.state == Active && w.expires >= h.until)
}

// supersede ends the former lease of an ID that was given another address: a client holds one
// address on a link, and asks for another only after it gave the first one up (RFC 2131 4.4.1).
// With several nodes the order of two commits is not certain, and the former lease runs out.
func (s *scope) supersede(i, pos uint32, at time.Time) {
	if i == 0 {
		return
	}
	if w := s.rows.at(i); w.pos != pos && w.state == Active && w.live(second(at)) {
		w.state, w.expires = Released, second(at)
		s.ending.put(&w.due, w.expires, i)
	}
}

// apply makes a record the truth of its address, unless a later one is known. It reports whether
// it did.
func (s *scope) apply(pos uint32, r *Record) bool {
	w, expires := s.row(pos), second(r.Expires)
	same := w.mine(r.ID) && r.State != Declined
	if w != nil {
		switch {
		case r.State == Free && !w.blank() && second(r.Start) <= w.expires:
			return false // an old Sweep that came late: the address was given since
		case r.Serial > w.serial:
		case r.Serial == w.serial && !same && w.state == Declined:
			// Ours was declined in memory only; somebody else's is in the store.
		default:
			if same && w.state == Active && r.State == Active && expires > w.expires {
				s.until(w, expires) // an end is never lowered by an older record, and may be raised
			}
			return false
		}
	}
	if w == nil {
		i := s.rows.add()
		s.cells[pos].row = i
		w = s.rows.at(i)
		w.pos = pos
	}
	if r.State == Active || r.State == Offered || s.shared {
		expires = s.notBefore(w, r.ID, expires)
	}
	if s.shared && r.State == Declined && w.state == Active {
		expires = max(expires, w.expires) // this node may have prolonged it on its own authority
	}
	if w.id != r.ID {
		s.unlink(w)
	}
	w.id, w.mac, w.state, w.arch, w.serial, w.own = r.ID, r.MAC, r.State, r.Arch, r.Serial, r.Own
	w.start, w.node = second(r.Start), s.nodeIndex(r.Node)
	w.setText(r.Host, r.Circuit, r.Class, unmapped(r.Relay))
	s.link(w)
	s.until(w, expires)
	return true
}

// until sets when a row ends.
func (s *scope) until(w *row, expires uint32) {
	w.expires, w.ended = expires, false
	if w.state != Free {
		s.ending.put(&w.due, expires, s.cells[w.pos].row)
	}
	s.settle(w.pos)
}

// link makes a row the one that its ID is found by, unless that has a later one.
func (s *scope) link(w *row) {
	if w.id.IsZero() || w.state == Declined || w.state == Free {
		return
	}
	i, r := s.cells[w.pos].row, s.ids[w.id]
	if r.row == i {
		return
	}
	if r.row == 0 || s.rows.at(r.row).start <= w.start {
		r.row = i
		s.ids[w.id] = r
	}
}

func (s *scope) unlink(w *row) {
	if r := s.ids[w.id]; r.row != 0 && r.row == s.cells[w.pos].row {
		r.row = 0
		s.setRef(w.id, r)
	}
}

// Load takes a record from the disk, or what another node committed. A higher Serial wins, and
// the end of a lease is never lowered by an older record.
func (b *Book) Load(r Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.Addr = unmapped(r.Addr)
	if !r.Addr.IsValid() {
		return
	}
	s := b.scope(r.Scope)
	pos := s.place(r.Addr)
	if s.apply(pos, &r) {
		s.void(pos, &r)
		b.adopt(s, pos)
	}
}

// void ends an OFFER of ours to somebody else than a record that we had not known of.
func (s *scope) void(pos uint32, r *Record) {
	if i := s.cells[pos].hold; i != 0 && s.holds.at(i).id != r.ID && r.State != Free && r.State != Released {
		s.drop(pos)
	}
}

// Release ends a lease, at the word of the machine that has it (RFC 2131 4.3.4). With several
// nodes the address rests until the lease would have ended: a node that did not hear of the
// release may still confirm it. Its record gets there by Merge.
func (b *Book) Release(now time.Time, a Ask) (Record, boot.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, why := b.serving(a.Scope)
	if s == nil {
		return Record{}, why
	}
	pos, ok := s.plan.find(unmapped(a.Want))
	if !ok {
		return Record{}, boot.UnknownLease
	}
	q := b.asking(now, &a)
	w, h := s.row(pos), s.hold(pos, q.now)
	if !w.mine(a.ID) || w.state != Active || h != nil && h.id != a.ID {
		return Record{}, boot.UnknownLease
	}
	_, used := s.serials(pos)
	g := Grant{Record: s.record(w)}
	g.Record.State, g.Record.Serial, g.Record.Node = Released, used+1, b.node
	g.Record.Own = s.shared && s.authority(pos, &q)
	if !s.shared {
		g.Record.Expires = fromSecond(q.now)
	}
	s.send(pos, &g)
	return g.Record, boot.Answered
}

// Decline takes an address out of use for a while, at the word of the machine that it was given
// to: it saw somebody there (RFC 2131 4.3.3). It counts at once, also if it cannot be kept.
func (b *Book) Decline(now time.Time, a Ask) (Record, boot.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, why := b.serving(a.Scope)
	if s == nil {
		return Record{}, why
	}
	pos, ok := s.plan.find(unmapped(a.Want))
	if !ok {
		return Record{}, boot.UnknownLease
	}
	h := s.hold(pos, second(now))
	if held := h != nil && h.id == a.ID; !held && !s.row(pos).mine(a.ID) || h != nil && !held {
		return Record{}, boot.UnknownLease
	}
	return s.decline(b.node, pos, &a, now), boot.Answered
}

// Busy is the same, after our own conflict check found somebody (RFC 2131 4.4.1). The zero Record
// means that the scope has no such address.
func (b *Book) Busy(now time.Time, scope string, addr netip.Addr) Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, _ := b.serving(scope)
	if s == nil {
		return Record{}
	}
	pos, ok := s.plan.find(unmapped(addr))
	if !ok {
		return Record{}
	}
	return s.decline(b.node, pos, &Ask{}, now)
}

func (s *scope) decline(node string, pos uint32, a *Ask, now time.Time) Record {
	w := s.row(pos)
	_, used := s.serials(pos)
	end := plus(second(now), s.pool.Decline)
	if !w.blank() && (s.shared || w.id != a.ID) {
		end = max(end, w.expires) // whoever has it may go on, and another node may confirm it
	}
	if i := s.cells[pos].hold; i != 0 && s.holds.at(i).pending > 0 {
		end = max(end, s.holds.at(i).end) // its ACK may leave after this
	}
	r := Record{
		Scope: s.pool.Scope, Addr: s.plan.addr(pos), MAC: a.MAC, State: Declined,
		Start: fromSecond(second(now)), Expires: fromSecond(end), Node: node, Serial: used + 1,
	}
	s.apply(pos, &r)
	s.drop(pos)
	return r
}
