package lease

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// What is pledged without a record is nobody else's while the promise lasts, also if a reload takes the
// reservation away; and it is renewed.
func TestPledge(t *testing.T) {
	b := book(t, lan(func(p *Pool) {
		p.Ranges, p.Lease, p.MaxLease = []Range{{a4(1), a4(1)}}, time.Hour, time.Hour
		p.Reserved = map[ID]netip.Addr{machine(1): a4(1)}
	}))
	if _, why := b.Pledge(t0, want(2, a4(1))); why != boot.StoreRefused {
		t.Errorf("somebody else: %s", why)
	}
	for range 2 {
		g, why := b.Pledge(t0, want(1, a4(1)))
		if why != boot.Answered || g.For != 5*time.Minute || g.Keep || g.Record.Addr != a4(1) {
			t.Errorf("%+v %s", g, why)
		}
	}
	if err := b.Configure([]Pool{lan(func(p *Pool) { p.Ranges = []Range{{a4(1), a4(1)}} })}); err != nil {
		t.Fatal(err)
	}
	b.Expire(t0.Add(5 * time.Minute))
	if g, why := b.Offer(t0.Add(5*time.Minute), ask(2)); why != boot.NoFreeAddress {
		t.Errorf("%s is offered while it was promised to another", g.Record.Addr)
	}
	if _, why := b.Offer(t0.Add(5*time.Minute+time.Second), ask(2)); why != boot.Answered {
		t.Errorf("after the promise: %s", why)
	}
	shared := book(t, lan(func(p *Pool) { p.Reserved = map[ID]netip.Addr{machine(1): a4(1)} }))
	shared.SetOwn("lan", nil, true)
	if _, why := shared.Pledge(t0, want(1, a4(1))); why != boot.StoreRefused {
		t.Errorf("where others may have given it: %s", why)
	}
}
