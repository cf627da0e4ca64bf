package lease

import (
	"net/netip"
	"time"

	"surefoot/internal/boot"
)

// shortLease is the longest time that is promised while the shared store does not answer: what
// Kea and ISC call MCLT.
const shortLease = 5 * time.Minute

// span is how long a lease may be: what the client asks for, within the pool's bounds. While the
// shared store does not answer it is short, so that the client is back soon after it does.
func (s *scope) span(q *asking) time.Duration {
	d := s.pool.Lease
	if q.For > 0 {
		d = min(max(q.For, s.pool.MinLease), s.pool.MaxLease).Truncate(time.Second)
	}
	if s.shared && q.offline {
		d = min(d, shortLease)
	}
	return d
}

// draft is the grant of a position: the record with the next Serial, whose time is not lower than
// what was promised to this ID before.
func (s *scope) draft(node string, pos uint32, q *asking, state State, d time.Duration) Grant {
	w := s.row(pos)
	g, used := s.over(pos)
	g.For, g.Known, g.Ping, g.Keep = d, w.mine(q.ID), !w.mine(q.ID), true
	g.Reserved = s.reservedFor(q.ID, pos)
	end := s.notBefore(w, q.ID, plus(q.now, d))
	if h := s.hold(pos, q.now); h != nil && h.pending > 0 {
		end = max(end, h.end)
		g.Prev, g.PrevID, g.PrevEnd = h.serial, q.ID, fromSecond(h.end) // they are kept in order
	}
	g.Record = Record{
		Scope: s.pool.Scope, Addr: s.plan.addr(pos), ID: q.ID, MAC: q.MAC, State: state,
		Start: fromSecond(q.now), Expires: fromSecond(end), Node: node,
		Host: clip(q.Host, maxHost), Relay: unmapped(q.Relay), Circuit: clip(q.Circuit, maxText), Arch: q.Arch, Class: clip(q.Class, maxText),
		Serial: used + 1, Own: s.shared && s.authority(pos, q),
	}
	return g
}

// over is a grant that follows what is known of a position, and the last Serial that was used.
func (s *scope) over(pos uint32) (Grant, uint64) {
	kept, used := s.serials(pos)
	g := Grant{Prev: kept}
	if w := s.row(pos); w != nil {
		g.PrevID, g.PrevEnd = w.id, fromSecond(w.expires)
	}
	return g, used
}

// notBefore raises an end to what the same ID was promised before: it may not have heard of the
// new one, and another node may not either.
func (s *scope) notBefore(w *row, id ID, end uint32) uint32 {
	if w.mine(id) && (w.state == Active || s.shared) {
		return max(end, w.expires)
	}
	return end
}

func unmapped(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// send counts a record that is on its way.
func (s *scope) send(pos uint32, g *Grant) {
	h := s.keep(pos, g.Record.ID, 0)
	h.pending++
	h.serial = g.Record.Serial
	h.end = max(h.end, second(g.Record.Expires))
	if h.first == 0 {
		h.first = h.serial
	}
}

// confirm is a grant without a new record: what is left of what is kept already.
func (s *scope) confirm(pos uint32, q *asking, most time.Duration) (Grant, boot.Reason) {
	w := s.row(pos)
	if !w.mine(q.ID) || w.state == Released || w.expires <= q.now {
		return Grant{}, boot.StoreRefused
	}
	left := time.Duration(w.expires-q.now) * time.Second
	if s.shared && q.offline {
		most = min(most, shortLease)
	}
	return Grant{Record: s.record(w), For: min(left, most), Known: true}, boot.Answered
}

// Offer chooses an address for a DISCOVER and keeps it for the ID (Q7). The same ID asking again
// gets the same address for as long again. If the grant says Claim, its record goes to the shared
// store, and the OFFER follows when it is there.
func (b *Book) Offer(now time.Time, a Ask) (Grant, boot.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, why := b.serving(a.Scope)
	if s == nil {
		return Grant{}, why
	}
	if a.ID.IsZero() {
		return Grant{}, boot.UnknownLease
	}
	a.Want = unmapped(a.Want)
	q := b.asking(now, &a)
	s.expire(q.now, 2)
	pos, ok := s.choose(&q)
	switch {
	case !ok && a.Again:
		return Grant{}, boot.UnknownLease
	case !ok && s.shared && q.offline:
		return Grant{}, boot.StoreRefused
	case !ok:
		return Grant{}, boot.NoFreeAddress
	}
	claim := q.claim
	s.keep(pos, a.ID, plus(q.now, s.pool.Offer))
	g := s.draft(b.node, pos, &q, Offered, s.pool.Offer)
	g.For, g.Keep, g.Claim = s.span(&q), claim, claim
	if w := s.row(pos); s.shared && q.offline && !s.authority(pos, &q) && w != nil {
		g.For = min(g.For, time.Duration(w.expires-q.now)*time.Second)
	}
	if g.Claim {
		s.send(pos, &g)
	}
	return g, boot.Answered
}

func (b *Book) offline(a *Ask) bool { return !b.contact || a.Only == OwnBlock }

// Confirm says what a client may be told when nothing can be kept (a full disk, no shared store):
// what is left of its lease as it was kept, and no more.
func (b *Book) Confirm(now time.Time, a Ask) (Grant, boot.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, why := b.serving(a.Scope)
	if s == nil {
		return Grant{}, why
	}
	pos, ok := s.plan.find(unmapped(a.Want))
	if !ok {
		return Grant{}, boot.StoreRefused
	}
	q := b.asking(now, &a)
	q.offline = true
	return s.confirm(pos, &q, s.span(&q))
}

// Pledge gives a reserved address for a few minutes without a record, where nothing can be kept and Confirm
// has nothing: nobody else is given the address while it is reserved, and the Book holds it until that
// promise is over, whatever a reload says. Only a restart together with another reservation forgets it.
func (b *Book) Pledge(now time.Time, a Ask) (Grant, boot.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, why := b.serving(a.Scope)
	if s == nil {
		return Grant{}, why
	}
	a.Want = unmapped(a.Want)
	q := b.asking(now, &a)
	q.offline = false // what is reserved here is nobody's business but this node's
	pos, ok := s.plan.find(a.Want)
	if !ok || s.shared || !s.reservedFor(a.ID, pos) || !s.usable(pos, &q) {
		return Grant{}, boot.StoreRefused
	}
	d := min(s.span(&q), shortLease)
	s.keep(pos, a.ID, plus(q.now, d))
	g := s.draft(b.node, pos, &q, Active, d)
	g.Keep = false
	return g, boot.Answered
}
