package lease

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// Who asks for what it had gets its offer, its lease, its former lease or its reservation, and nothing is set aside
// for who has none of them.
func TestOfferAgain(t *testing.T) {
	reserved := machine(6)
	b := book(t, lan(func(p *Pool) { p.Reserved = map[ID]netip.Addr{reserved: a4(6)} }))
	again := func(n int) Ask {
		a := ask(n)
		a.Again = true
		return a
	}
	before := b.Usage("lan")
	if g, why := b.Offer(t0, again(1)); why != boot.UnknownLease {
		t.Errorf("a machine that has nothing: %s, %s", g.Record.Addr, why)
	}
	if b.Usage("lan") != before || b.Has("lan", machine(1)) {
		t.Error("something was set aside for it")
	}
	if g, why := b.Offer(t0, again(6)); why != boot.Answered || g.Record.Addr != a4(6) {
		t.Errorf("its reservation: %s, %s", g.Record.Addr, why)
	}
	first, why := b.Offer(t0, ask(1))
	if why != boot.Answered {
		t.Fatal(why)
	}
	if g, why := b.Offer(t0, again(1)); why != boot.Answered || g.Record.Addr != first.Record.Addr {
		t.Errorf("its offer: %s, %s; want %s", g.Record.Addr, why, first.Record.Addr)
	}
	g := request(t, b, t0, want(1, first.Record.Addr), Selecting, boot.Answered)
	b.Committed(g.Record, nil)
	for _, at := range []time.Time{t0.Add(time.Second), g.Record.Expires.Add(time.Hour)} {
		if g, why := b.Offer(at, again(1)); why != boot.Answered || g.Record.Addr != first.Record.Addr {
			t.Errorf("its lease at %s: %s, %s; want %s", at, g.Record.Addr, why, first.Record.Addr)
		}
	}
}
