package lease

import (
	"time"

	"surefoot/internal/boot"
)

// Adopt takes over a lease that another server gave, with its end as it was promised there. The grant's
// record has to be kept, or claimed in the shared store, and then Committed. It is refused where the address
// is somebody else's, is not given to anybody here, or where the ID has a lease already.
func (b *Book) Adopt(now time.Time, r Record) (Grant, boot.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, why := b.serving(r.Scope)
	if s == nil {
		return Grant{}, why
	}
	if s.shared && !b.contact { // an address passes to an ID by a claim only (rule 1)
		return Grant{}, boot.StoreRefused
	}
	r.Addr = unmapped(r.Addr)
	at := second(now)
	pos, ok := s.plan.find(r.Addr)
	switch {
	case r.ID.IsZero():
		return Grant{}, boot.UnknownLease
	case !ok || s.kinds[pos] == notGiven || s.kinds[pos] == others:
		return Grant{}, boot.WrongNetwork
	case (s.kinds[pos] == reserved || s.kinds[pos] == unverified) && !s.reservedFor(r.ID, pos):
		return Grant{}, boot.LeaseOfOther
	}
	w, h := s.row(pos), s.hold(pos, at)
	switch {
	case h != nil, w != nil && !w.mine(r.ID) && !w.blank() && (at <= plus(w.expires, s.rest()) || s.shared && b.doubt || s.shared && s.kinds[pos] == own):
		return Grant{}, boot.LeaseOfOther
	case w.mine(r.ID) && w.state == Active && w.live(at) && w.expires >= second(r.Expires):
		return Grant{}, boot.NotOurLease // it is here, and at least as long
	}
	if p, ok := s.reserved[r.ID]; ok && p != pos {
		return Grant{}, boot.LeaseMoved
	}
	if i := s.ids[r.ID].hold; i != 0 && s.holds.at(i).pos != pos && s.holds.at(i).pending > 0 {
		return Grant{}, boot.LeaseMoved // another one of it is on its way
	}
	if i := s.ids[r.ID].row; i != 0 {
		if other := s.rows.at(i); other.pos != pos && other.state == Active && other.live(at) {
			return Grant{}, boot.LeaseMoved
		}
	}
	g, used := s.over(pos)
	r.State, r.Node, r.Serial = Active, b.node, used+1
	r.Own = s.shared && s.kinds[pos] == own // fresh, or this ID's anyway: nobody can claim it
	r.Host, r.Circuit, r.Class = clip(r.Host, maxHost), clip(r.Circuit, maxText), clip(r.Class, maxText)
	g.Record, g.Keep, g.Claim, g.Reserved = r, true, s.shared && !r.Own, s.reservedFor(r.ID, pos)
	s.send(pos, &g)
	return g, boot.Answered
}
