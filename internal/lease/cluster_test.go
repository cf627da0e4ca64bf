package lease

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// The corners of several nodes, one at a time.

// member is a node of several, with contact; 4 and 5 are its own block.
func member(t *testing.T) *Book {
	b := book(t, lan(nil))
	b.SetOwn("lan", []Range{{a4(4), a4(5)}}, true)
	b.Contact(true, t0)
	return b
}

// leased is what the store has: a lease of two minutes.
func leased(i int, a netip.Addr, serial uint64) Record {
	return Record{Scope: "lan", Addr: a, ID: machine(i), MAC: mac(i), State: Active, Start: t0, Expires: t0.Add(2 * time.Minute), Node: "n2", Serial: serial}
}

func endsAt(t *testing.T, b *Book, a netip.Addr, id ID, state State, end time.Time) {
	t.Helper()
	if r, _ := b.ByAddr(a); r.ID != id || r.State != state || !r.Expires.Equal(end) {
		t.Errorf("%s is %s of %s until %s, want %s of %s until %s", a, r.State, r.ID, r.Expires, state, id, end)
	}
}

// A sweep that comes late wipes no lease that was given since.
func TestLateSweep(t *testing.T) {
	b := member(t)
	b.Load(leased(1, a4(1), 5))
	wiped := Record{Scope: "lan", Addr: a4(1), Start: t0.Add(time.Minute), Expires: t0.Add(time.Minute), Serial: 9}
	b.Load(wiped)
	endsAt(t, b, a4(1), machine(1), Active, t0.Add(2*time.Minute))
	wiped.Start, wiped.Expires = t0.Add(4*time.Minute), t0.Add(4*time.Minute)
	b.Load(wiped)
	if r, _ := b.ByAddr(a4(1)); r.State != Free {
		t.Errorf("a sweep after its end: %+v", r)
	}
}

// Clocks differ by up to a minute: so long a lease of the own block rests before it is wiped.
func TestSweepWaits(t *testing.T) {
	for after, want := range map[time.Duration]int{0: 0, 30 * time.Second: 0, time.Minute: 0, time.Minute + time.Second: 1} {
		if got := len(member2(t, leased(1, a4(4), 5)).Sweep(t0.Add(2*time.Minute+after), "lan", 9)); got != want {
			t.Errorf("%s after the end: %d are wiped, want %d", after, got, want)
		}
	}
}

func member2(t *testing.T, r Record) *Book {
	b := member(t)
	b.Load(r)
	return b
}

// What is in another's block is the other's to give. What somebody has there is prolonged while it lasts.
func TestOthersBlock(t *testing.T) {
	b := member(t)
	offered, why := b.Offer(t0, want(2, a4(2)))
	if why != boot.Answered || offered.Record.Addr != a4(2) {
		t.Fatal(why)
	}
	b.Committed(offered.Record, nil)
	b.Load(leased(1, a4(1), 5))
	b.SetOthers("lan", []Range{{a4(1), a4(3)}})
	for i := range 3 {
		if g, why := b.Offer(t0, want(10+i, a4(3))); why == boot.Answered && a4(1).Compare(g.Record.Addr) <= 0 && g.Record.Addr.Compare(a4(3)) <= 0 {
			t.Errorf("offers %s of another's block", g.Record.Addr)
		}
	}
	if g, why := b.Request(t0, want(9, a4(3)), Selecting); why == boot.Answered {
		t.Errorf("gives %s of another's block", g.Record.Addr)
	}
	if _, why := b.Request(t0, want(2, a4(2)), Selecting); why == boot.Answered {
		t.Error("gives what it offered before the block was another's")
	}
	if g := request(t, b, t0.Add(time.Minute), want(1, a4(1)), Rebinding, boot.Answered); !g.Claim || !g.Keep {
		t.Errorf("prolonged without a claim: %+v", g)
	}
	c := member2(t, leased(1, a4(1), 5))
	c.SetOthers("lan", []Range{{a4(1), a4(3)}})
	if _, why := c.Request(t0.Add(3*time.Minute), want(1, a4(1)), Rebinding); why == boot.Answered {
		t.Error("prolongs a lease that is over, in another's block")
	}
}

// Neither a release nor a decline, here or at another node, ends an address before what was promised of it:
// a node that did not hear of it may confirm the lease to its end.
func TestNothingLowersAnEnd(t *testing.T) {
	end := t0.Add(2 * time.Minute)
	soon := t0.Add(10 * time.Second)
	b := member2(t, leased(1, a4(1), 5))
	r, why := b.Release(soon, want(1, a4(1)))
	if why != boot.Answered || !r.Expires.Equal(end) || r.State != Released {
		t.Errorf("released: %+v %s", r, why)
	}
	b.Committed(r, nil)
	endsAt(t, b, a4(1), machine(1), Released, end)

	b = member2(t, leased(1, a4(1), 5))
	if r, why = b.Decline(soon, want(1, a4(1))); why != boot.Answered || !r.Expires.Equal(end) {
		t.Errorf("declined: %+v %s", r, why)
	}
	endsAt(t, b, a4(1), ID{}, Declined, end)

	for _, state := range []State{Released, Active, Declined} {
		b = member2(t, leased(1, a4(1), 5))
		theirs := leased(1, a4(1), 6)
		theirs.State, theirs.Expires = state, soon
		if state == Declined {
			theirs.ID = ID{}
		}
		b.Load(theirs)
		endsAt(t, b, a4(1), theirs.ID, state, end)
	}

	b = member2(t, leased(1, a4(1), 5))
	older := leased(1, a4(1), 3)
	older.Expires = end.Add(time.Hour)
	b.Load(older)
	endsAt(t, b, a4(1), machine(1), Active, older.Expires)
}

// The former lease of a machine that moved runs out: the order of two commits is not certain.
func TestFormerLeaseRunsOut(t *testing.T) {
	b := member2(t, leased(1, a4(1), 5))
	next := leased(1, a4(2), 1)
	next.Start = t0.Add(time.Second)
	b.Committed(next, nil)
	endsAt(t, b, a4(1), machine(1), Active, t0.Add(2*time.Minute))
}

// A lease of somebody else that another node committed voids our offer, and what comes late of that counts
// for nothing: neither now nor for a later hold.
func TestVoidHold(t *testing.T) {
	b := member(t)
	lost, why := b.Offer(t0, want(1, a4(1)))
	if why != boot.Answered || !lost.Claim {
		t.Fatalf("%+v %s", lost, why)
	}
	b.Load(leased(2, a4(1), 1))
	request(t, b, t0.Add(time.Second), want(2, a4(1)), Rebinding, boot.Answered)
	b = member(t)
	lost, _ = b.Offer(t0, want(1, a4(1)))
	b.Load(leased(2, a4(1), 1))
	later := t0.Add(4 * time.Minute)
	b.Expire(later)
	g, why := b.Offer(later, want(1, a4(1)))
	if why != boot.Answered || g.Record.Addr != a4(1) || !g.Claim {
		t.Fatalf("%+v %s", g, why)
	}
	b.Committed(lost.Record, errNo) // of the first offer, at last
	if g, why := b.Offer(later.Add(time.Minute), want(3, a4(1))); why == boot.Answered && g.Record.Addr == a4(1) {
		t.Error("offered to another while a claim of it is on its way")
	}
}

// Without contact an offer promises no more than what is left of the lease.
func TestOfferWithoutContact(t *testing.T) {
	b := member2(t, leased(1, a4(1), 5))
	b.Contact(false, t0)
	if g, why := b.Offer(t0.Add(30*time.Second), want(1, a4(1))); why != boot.Answered || g.For != 90*time.Second {
		t.Errorf("for %s: %s", g.For, why)
	}
}

func TestMerge(t *testing.T) {
	base := leased(1, a4(1), 5)
	with := func(r Record, change func(*Record)) Record { change(&r); return r }
	end := base.Expires
	for name, c := range map[string]struct {
		have, mine Record
		ok         bool
		state      State
		id         ID
		end        time.Time
	}{
		"into nothing":    {Record{}, base, true, Active, machine(1), end},
		"a later renewal": {base, with(base, func(r *Record) { r.Serial, r.Expires = 6, end.Add(time.Minute) }), true, Active, machine(1), end.Add(time.Minute)},
		"a shorter one":   {base, with(base, func(r *Record) { r.Serial, r.Expires = 6, t0.Add(time.Second) }), true, Active, machine(1), end},
		"a release":       {base, with(base, func(r *Record) { r.Serial, r.State, r.Expires = 6, Released, t0.Add(time.Second) }), true, Released, machine(1), end},
		"a decline":       {base, with(base, func(r *Record) { r.Serial, r.State, r.ID, r.Expires = 6, Declined, ID{}, t0.Add(time.Second) }), true, Declined, ID{}, end},
		"an older one that ends later": {
			base, with(base, func(r *Record) { r.Serial, r.Expires = 4, end.Add(time.Minute) }), true, Active, machine(1), end.Add(time.Minute),
		},
		"an older one": {base, with(base, func(r *Record) { r.Serial, r.Expires = 4, t0 }), false, Active, machine(1), end},
		"of another":   {base, with(base, func(r *Record) { r.Serial, r.ID = 9, machine(2) }), false, Active, machine(1), end},
		"over a sweep that came after it": {
			Record{Serial: 7, Start: end.Add(time.Minute), Expires: end.Add(time.Minute)}, with(base, func(r *Record) { r.Serial = 9 }), false, Free, ID{}, end.Add(time.Minute),
		},
		"over a sweep that it outlasts": {
			Record{Serial: 7, Start: t0, Expires: t0}, base, true, Active, machine(1), end,
		},
	} {
		put, ok := Merge(c.have, c.mine)
		if ok != c.ok || put.State != c.state || put.ID != c.id || !put.Expires.Equal(c.end) {
			t.Errorf("%s: %t, %s of %s until %s", name, ok, put.State, put.ID, put.Expires)
		}
		if ok && put.Serial <= c.have.Serial {
			t.Errorf("%s: serial %d after %d", name, put.Serial, c.have.Serial)
		}
	}
}
