package lease

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"surefoot/internal/boot"
)

// Book is the leases of one node. It is safe for concurrent use.
type Book struct {
	node   string
	mu     sync.Mutex // guards everything below
	scopes map[string]*scope
}

type scope struct {
	pool    Pool
	recs    map[netip.Addr]Record
	offers  map[netip.Addr]offer
	pending map[netip.Addr]int
}

type offer struct {
	id    ID
	until time.Time
}

// NewBook makes a Book of the pools.
func NewBook(node string, pools []Pool) (*Book, error) {
	b := &Book{node: node, scopes: map[string]*scope{}}
	return b, b.Configure(pools)
}

// Configure takes new pools; leases stay.
func (b *Book) Configure(pools []Pool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range pools {
		if p.Scope == "" {
			return fmt.Errorf("a pool without the name of its scope")
		}
		s := b.scopes[p.Scope]
		if s == nil {
			s = &scope{recs: map[netip.Addr]Record{}, offers: map[netip.Addr]offer{}, pending: map[netip.Addr]int{}}
			b.scopes[p.Scope] = s
		}
		if p.Lease == 0 {
			p.Lease = time.Hour
		}
		if p.Offer == 0 {
			p.Offer = time.Minute
		}
		if p.Decline == 0 {
			p.Decline = time.Hour
		}
		s.pool = p
	}
	return nil
}

// Load takes a record from disk, or what another node committed.
func (b *Book) Load(r Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scopes[r.Scope]
	if s == nil {
		return
	}
	if have, ok := s.recs[r.Addr]; ok && have.Serial >= r.Serial {
		return
	}
	s.recs[r.Addr] = r
}

func (s *scope) free(now time.Time, id ID, a netip.Addr) bool {
	for who, at := range s.pool.Reserved {
		if at == a && who != id {
			return false
		}
	}
	if o, ok := s.offers[a]; ok && o.id != id && (now.Before(o.until) || s.pending[a] > 0) {
		return false
	}
	r, ok := s.recs[a]
	return !ok || r.ID == id && r.State != Declined || !now.Before(r.Expires.Add(s.pool.Rest).Add(time.Second))
}

func (s *scope) find(now time.Time, a Ask) (netip.Addr, bool) {
	if at, ok := s.pool.Reserved[a.ID]; ok && s.free(now, a.ID, at) {
		return at, true
	}
	for at, o := range s.offers {
		if o.id == a.ID && s.free(now, a.ID, at) {
			return at, true
		}
	}
	for at, r := range s.recs {
		if r.ID == a.ID && s.free(now, a.ID, at) {
			return at, true
		}
	}
	for _, r := range s.pool.Ranges {
		for at := r.From; r.Contains(at); at = at.Next() {
			if s.free(now, a.ID, at) {
				return at, true
			}
		}
	}
	return netip.Addr{}, false
}

func (b *Book) grant(s *scope, now time.Time, a Ask, at netip.Addr, st State, d time.Duration) Grant {
	have, ok := s.recs[at]
	start := now.UTC().Truncate(time.Second)
	g := Grant{Prev: have.Serial, Known: ok && have.ID == a.ID, Keep: st == Active, For: s.pool.Lease}
	g.Ping = !g.Known
	g.Record = Record{
		Scope: a.Scope, Addr: at, ID: a.ID, MAC: a.MAC, State: st, Start: start, Expires: start.Add(d), Node: b.node,
		Host: a.Host, Relay: a.Relay, Circuit: a.Circuit, Arch: a.Arch, Class: a.Class, Serial: have.Serial + 1,
	}
	return g
}

// Offer chooses an address and keeps it for the ID.
func (b *Book) Offer(now time.Time, a Ask) (Grant, boot.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scopes[a.Scope]
	if s == nil {
		return Grant{}, boot.ScopeUnknown
	}
	at, ok := s.find(now, a)
	if !ok {
		return Grant{}, boot.NoFreeAddress
	}
	s.offers[at] = offer{id: a.ID, until: now.Add(s.pool.Offer)}
	return b.grant(s, now, a, at, Offered, s.pool.Offer), boot.Answered
}

// Request decides a DHCPREQUEST.
func (b *Book) Request(now time.Time, a Ask, how How) (Grant, boot.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scopes[a.Scope]
	switch {
	case s == nil:
		return Grant{}, boot.ScopeUnknown
	case !s.pool.Subnet.Contains(a.Want):
		return Grant{}, boot.WrongNetwork
	case !s.free(now, a.ID, a.Want):
		return Grant{}, boot.LeaseOfOther
	}
	if how != Selecting && s.recs[a.Want].ID != a.ID {
		return Grant{}, boot.UnknownLease
	}
	s.offers[a.Want] = offer{id: a.ID, until: now.Add(s.pool.Offer)}
	s.pending[a.Want]++
	return b.grant(s, now, a, a.Want, Active, s.pool.Lease), boot.Answered
}

// Confirm says what a known lease may be told without a commit: at most its remaining time.
func (b *Book) Confirm(now time.Time, a Ask) (Grant, boot.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scopes[a.Scope]
	if s == nil {
		return Grant{}, boot.ScopeUnknown
	}
	r, ok := s.recs[a.Want]
	if !ok || r.ID != a.ID || !r.Live(now) {
		return Grant{}, boot.StoreRefused
	}
	return Grant{Record: r, Known: true, For: r.Expires.Sub(now).Truncate(time.Second)}, boot.Answered
}

// Committed takes what the Keeper said of a record.
func (b *Book) Committed(r Record, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scopes[r.Scope]
	if s == nil {
		return
	}
	if s.pending[r.Addr] > 0 {
		s.pending[r.Addr]--
	}
	if err == nil {
		s.recs[r.Addr] = r
		delete(s.offers, r.Addr)
	}
}

// Release ends a lease, at the word of the one that holds it.
func (b *Book) Release(now time.Time, a Ask) (Record, boot.Reason) {
	return b.end(now, a, Released)
}

// Decline takes an address out of use, at the word of the one that it was given to.
func (b *Book) Decline(now time.Time, a Ask) (Record, boot.Reason) {
	return b.end(now, a, Declined)
}

func (b *Book) end(now time.Time, a Ask, st State) (Record, boot.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scopes[a.Scope]
	if s == nil {
		return Record{}, boot.ScopeUnknown
	}
	r, ok := s.recs[a.Want]
	if !ok || r.ID != a.ID {
		return Record{}, boot.UnknownLease
	}
	r.State, r.Serial, r.Expires = st, r.Serial+1, now.UTC().Truncate(time.Second)
	if st == Declined {
		r.Expires = r.Expires.Add(s.pool.Decline)
	}
	return r, boot.Answered
}

// Busy takes an address out of use: the conflict check found somebody there.
func (b *Book) Busy(now time.Time, scope string, addr netip.Addr) Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scopes[scope]
	if s == nil {
		return Record{}
	}
	start := now.UTC().Truncate(time.Second)
	r := Record{Scope: scope, Addr: addr, State: Declined, Start: start, Expires: start.Add(s.pool.Decline), Node: b.node, Serial: s.recs[addr].Serial + 1}
	s.recs[addr] = r
	delete(s.offers, addr)
	return r
}

// Expire ends what is over, and says how many leases.
func (b *Book) Expire(now time.Time) int {
	return 0
}

// ByID finds the lease of an ID.
func (b *Book) ByID(scope string, id ID) (Record, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.scopes[scope]; s != nil {
		for _, r := range s.recs {
			if r.ID == id {
				return r, true
			}
		}
	}
	return Record{}, false
}

// ByAddr finds what is known of an address.
func (b *Book) ByAddr(addr netip.Addr) (Record, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.scopes {
		if r, ok := s.recs[addr]; ok {
			return r, true
		}
	}
	return Record{}, false
}

// Each calls f for each record of a scope until it returns false.
func (b *Book) Each(scope string, f func(Record) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.scopes[scope]; s != nil {
		for _, r := range s.recs {
			if !f(r) {
				return
			}
		}
	}
}

// Usage says how full a scope is.
func (b *Book) Usage(scope string) Usage { return Usage{} }

// SetOwn says which addresses are this node's own. Without shared everything is, and nothing
// needs a claim.
func (b *Book) SetOwn(scope string, blocks []Range, shared bool) {}

// SetOthers says which addresses are other nodes' own: they are not given here.
func (b *Book) SetOthers(scope string, blocks []Range) {}

// Contact says whether the shared store answers, and when it last did.
func (b *Book) Contact(ok bool, now time.Time) {}
