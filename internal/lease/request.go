package lease

import (
	"time"

	"surefoot/internal/boot"
)

// Request decides a DHCPREQUEST (RFC 2131 4.3.2). Answered is an ACK: after Committed if the grant
// says Keep, at once if not. Of the other reasons Naks says which are a NAK.
func (b *Book) Request(now time.Time, a Ask, how How) (Grant, boot.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, why := b.serving(a.Scope)
	if s == nil {
		return Grant{}, why
	}
	a.Want = unmapped(a.Want)
	q := b.asking(now, &a)
	if how == BootP {
		// BOOTP knows no end of a lease and says nothing when it goes (RFC 1534 2), so only what is
		// reserved is given.
		pos, ok := s.reserved[a.ID]
		if !ok || !s.usable(pos, &q) {
			return Grant{}, boot.UnknownLease
		}
		a.Want, a.For = s.plan.addr(pos), s.pool.MaxLease
		return s.extend(b.node, pos, &q)
	}
	switch {
	case a.ID.IsZero() || !a.Want.IsValid():
		return Grant{}, boot.UnknownLease
	case !s.pool.Subnet.Contains(a.Want):
		return Grant{}, boot.WrongNetwork
	}
	pos, ok := s.plan.find(a.Want)
	if !ok {
		return Grant{}, boot.NotOurLease
	}
	if why := s.judge(pos, &q, how); why != boot.Answered {
		return Grant{}, why
	}
	return s.extend(b.node, pos, &q)
}

// judge says whether an ID may have the address that it asks for.
func (s *scope) judge(pos uint32, q *asking, how How) boot.Reason {
	w, h, k := s.row(pos), s.hold(pos, q.now), s.kinds[pos]
	known := w.mine(q.ID)
	switch {
	case how == Selecting && k != notGiven && k != others && s.forgotten(w, h, q):
		return boot.OfferForgotten
	case !w.blank() && w.state == Declined && w.live(q.now):
		return boot.AddressDeclined
	case !w.blank() && !known && w.state == Active && w.live(q.now):
		return boot.LeaseOfOther
	}
	stands := w.blank() || known || !w.live(q.now) && !(s.shared && q.doubt)
	leased := known && w.state == Active && w.live(q.now)
	switch {
	case h != nil && h.id != q.ID && how == Selecting:
		return boot.LeaseOfOther
	case h != nil && h.id != q.ID: // only offered: perhaps it is the asking one's, and we lost its lease
		return boot.UnknownLease
	case (h != nil && stands || leased && how == Selecting) && (!s.shared || k != others && s.givenTo(q.ID, pos)):
		// Our own OFFER stands, whatever was configured since, and so does its lease if the ACK was
		// lost (Q7). With several nodes this ends where another has become the one to give it.
		return boot.Answered
	}
	at, hasOther := s.reserved[q.ID]
	hasOther = hasOther && at != pos && s.usable(at, q)
	switch {
	case how == InitReboot && !known && !s.shared && s.leasedElsewhere(q):
		return boot.LeaseMoved // "if not, then the server SHOULD send a DHCPNAK"
	case hasOther && (known || how == Selecting):
		return boot.LeaseMoved // its reservation is another address
	case known && !s.givenTo(q.ID, pos):
		return boot.LeaseMoved // the address is reserved for another, or not given any more
	case !known && how != Selecting && k == notGiven:
		return boot.NotOurLease
	case !known && how != Selecting && s.shared && q.offline:
		return boot.StoreRefused // it may be a lease of another node that this one has not heard of
	case !known && how != Selecting:
		// "If the DHCP server has no record of this client, then it MUST remain silent" (INIT-REBOOT).
		return boot.UnknownLease
	}
	if s.usable(pos, q) || leased {
		return boot.Answered
	}
	switch {
	case s.shared && q.offline:
		return boot.StoreRefused
	case known && how != Selecting:
		return boot.UnknownLease
	case k == notGiven:
		return boot.NotOurLease
	}
	return boot.LeaseOfOther
}

// forgotten reports that the machine may ask for what it was offered just before this node began: an OFFER
// is kept in memory. Nobody else is to have had the address then. A NAK would be wrong (Q7), and so would an
// ACK be, where the address is offered or given to another by now: the machine starts again after a while.
func (s *scope) forgotten(w *row, h *hold, q *asking) bool {
	if q.began == 0 || q.now > plus(q.began, s.pool.Offer) || w.mine(q.ID) {
		return false
	}
	since := !w.blank() && w.start >= q.began && w.state != Declined
	return h != nil && h.id != q.ID && (w.blank() || since) || h == nil && since
}

// leasedElsewhere reports that the ID has a lease that is not over.
func (s *scope) leasedElsewhere(q *asking) bool {
	r := s.ids[q.ID]
	return r.row != 0 && s.rows.at(r.row).state == Active && s.rows.at(r.row).live(q.now)
}

// givenTo reports whether the pool gives the address at all, and not to somebody else.
func (s *scope) givenTo(id ID, pos uint32) bool {
	switch s.kinds[pos] {
	case notGiven:
		return false
	case reserved, unverified:
		return s.reservedFor(id, pos)
	}
	return true
}

// extend grants the address of a position: with a new record, or with what is left of the one
// that is kept already if that is most of it. The latter saves the disk from retransmissions, and
// from the ROM, the boot loader and the system that all come within a minute.
func (s *scope) extend(node string, pos uint32, q *asking) (Grant, boot.Reason) {
	w, d := s.row(pos), s.span(q)
	alone := s.authority(pos, q)
	if s.shared && q.offline && !alone {
		return s.confirm(pos, q, d)
	}
	i := s.cells[pos].hold
	idle := i == 0 || s.holds.at(i).pending == 0
	if idle && w.mine(q.ID) && w.state == Active && w.live(q.now) && w.says(q) {
		if left := time.Duration(w.expires-q.now) * time.Second; left >= d-d/4 {
			s.drop(pos)
			return Grant{Record: s.record(w), For: min(left, d), Known: true}, boot.Answered
		}
	}
	g := s.draft(node, pos, q, Active, d)
	g.Claim = s.shared && !alone
	s.send(pos, &g)
	return g, boot.Answered
}

// says reports that the client says nothing of itself that is worth a new record.
func (w *row) says(q *asking) bool {
	host, circuit, _, _ := w.texts()
	return (q.Host == "" || clip(q.Host, maxHost) == host) && (q.Circuit == "" || clip(q.Circuit, maxText) == circuit) && w.mac == q.MAC
}
