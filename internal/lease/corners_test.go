package lease

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// The corners of one node, one at a time: each of them is a way to give an address twice that random runs
// rarely walk.

// single is a pool of one address.
func single(t *testing.T) *Book {
	return book(t, lan(func(p *Pool) { p.Ranges = []Range{{a4(1), a4(1)}} }))
}

// A hold stands while a record of it is on its way, however long the disk takes.
func TestHoldWaitsForItsCommit(t *testing.T) {
	late := t0.Add(time.Hour)
	for _, expire := range []bool{false, true} {
		b := single(t)
		if _, why := b.Offer(t0, ask(1)); why != boot.Answered {
			t.Fatal(why)
		}
		g := request(t, b, t0, want(1, a4(1)), Selecting, boot.Answered)
		if expire {
			b.Expire(late)
		}
		if _, why := b.Offer(late, ask(2)); why != boot.NoFreeAddress {
			t.Errorf("expire %t: the address of a record on its way is offered: %s", expire, why)
		}
		b.Committed(g.Record, errNo)
		if _, why := b.Offer(late.Add(time.Second), ask(2)); why != boot.Answered {
			t.Errorf("expire %t: after the record came to nothing: %s", expire, why)
		}
	}
}

// Nor does a machine that is to have another address by now end it.
func TestHoldWaitsWhileItsMachineMoves(t *testing.T) {
	b := book(t, lan(nil))
	if _, why := b.Offer(t0, want(1, a4(1))); why != boot.Answered {
		t.Fatal(why)
	}
	request(t, b, t0, want(1, a4(1)), Selecting, boot.Answered)
	moved := lan(nil)
	moved.Reserved = map[ID]netip.Addr{machine(1): a4(2)}
	if err := b.Configure([]Pool{moved}); err != nil {
		t.Fatal(err)
	}
	if g, _ := b.Offer(t0, ask(1)); g.Record.Addr != a4(2) {
		t.Fatalf("offered %s", g.Record.Addr)
	}
	request(t, b, t0, want(2, a4(1)), Selecting, boot.LeaseOfOther)
}

// Of two records on their way the second ends no earlier than the first: its client may have heard of that.
func TestSecondRecordEndsNoEarlier(t *testing.T) {
	b := book(t, lan(nil))
	long, short := want(1, a4(1)), want(1, a4(1))
	long.For, short.For = 4*time.Minute, 30*time.Second
	first := request(t, b, t0, long, Selecting, boot.Answered)
	second := request(t, b, t0.Add(time.Second), short, Selecting, boot.Answered)
	if end := first.Record.Expires; !end.Equal(t0.Add(4*time.Minute)) || !second.Record.Expires.Equal(end) {
		t.Errorf("until %s, then until %s", end, second.Record.Expires)
	}
	if second.For != 30*time.Second || second.Prev != first.Record.Serial || !second.PrevEnd.Equal(first.Record.Expires) {
		t.Errorf("%+v", second)
	}
}

// An address on which somebody strange was found stays out of use while its own lease lasts.
func TestBusyLowersNoEnd(t *testing.T) {
	b := single(t)
	r := dora(t, b, t0, ask(1))
	if d := b.Busy(t0, "lan", a4(1)); !d.Expires.Equal(r.Expires) {
		t.Errorf("out of use until %s, leased until %s", d.Expires, r.Expires)
	}
	if _, why := b.Offer(t0.Add(90*time.Second), ask(2)); why != boot.NoFreeAddress {
		t.Errorf("offered while its lease lasts: %s", why)
	}
}

// A lease that is not written again is told for as long as it is kept.
func TestFreshLeaseIsToldAsKept(t *testing.T) {
	b := book(t, lan(nil))
	r := dora(t, b, t0, ask(1))
	g := request(t, b, t0.Add(20*time.Second), want(1, r.Addr), Renewing, boot.Answered)
	if g.Keep || g.For != 100*time.Second {
		t.Errorf("keep %t, for %s; 100 s are left", g.Keep, g.For)
	}
}

// A released address is free at once, and at most its rest later.
func TestReleaseOfOneNode(t *testing.T) {
	b := single(t)
	dora(t, b, t0, ask(1))
	r, why := b.Release(t0.Add(time.Second), want(1, a4(1)))
	if why != boot.Answered || !r.Expires.Equal(t0.Add(time.Second)) {
		t.Fatalf("%+v %s", r, why)
	}
	if _, why := b.Offer(t0.Add(5*time.Second), ask(2)); why != boot.NoFreeAddress {
		t.Errorf("offered before the release is kept: %s", why)
	}
	b.Committed(r, nil)
	if _, why := b.Offer(t0.Add(5*time.Second), ask(2)); why != boot.Answered {
		t.Errorf("after it: %s", why)
	}
}

// Somebody else is seen on an address while a renewal of its lease is on its way to the disk. Its machine hears
// of that, and has the address to the new end.
func TestBusyWhileRenewed(t *testing.T) {
	b := book(t, lan(nil))
	b.Load(leased(1, a4(1), 1))
	at := t0.Add(time.Minute)
	g := request(t, b, at, want(1, a4(1)), Rebinding, boot.Answered)
	if !g.Keep {
		t.Fatalf("%+v", g)
	}
	if r := b.Busy(at, "lan", a4(1)); r.Expires.Before(g.Record.Expires) {
		t.Errorf("declined until %s, and promised until %s", r.Expires, g.Record.Expires)
	}
}
