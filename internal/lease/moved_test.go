package lease

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// A network that gets another name, in a reload or in a restart, knows its machines, and gives none of
// their addresses to anybody else.
func TestRenamedScope(t *testing.T) {
	renamed := lan(func(p *Pool) { p.Scope = "hall" })
	reload := func(b *Book) *Book {
		if err := b.Configure([]Pool{renamed}); err != nil {
			t.Fatal(err)
		}
		return b
	}
	restart := func(b *Book) *Book {
		next := book(t, renamed)
		b.Each("", func(r Record) bool { next.Load(r); return true })
		return next
	}
	for name, change := range map[string]func(*Book) *Book{"reload": reload, "restart": restart} {
		t.Run(name, func(t *testing.T) {
			b := book(t, lan(nil))
			var held []Record
			for i := range 5 {
				held = append(held, dora(t, b, t0, ask(i)))
			}
			b = change(b)
			a := ask(9)
			a.Scope = "hall"
			if g, why := b.Offer(t0, a); why != boot.NoFreeAddress {
				t.Errorf("%s is offered, and in use: %s", g.Record.Addr, why)
			}
			for i, r := range held {
				a := want(i, r.Addr)
				a.Scope = "hall"
				if g := request(t, b, t0.Add(time.Minute), a, Rebinding, boot.Answered); g.Record.Serial <= r.Serial || g.Record.Scope != "hall" {
					t.Errorf("%+v after %+v", g.Record, r)
				}
				if _, still := b.ByID("lan", r.ID); still {
					t.Errorf("%s is in two scopes", r.Addr)
				}
			}
			b.Expire(t0.Add(time.Hour))
			consistent(t, b)
		})
	}
}

// A subnet that is cut in two: the addresses of the second half are the new network's.
func TestScopeCutInTwo(t *testing.T) {
	whole := lan(func(p *Pool) {
		p.Subnet, p.Ranges = netip.MustParsePrefix("10.0.0.0/28"), []Range{{a4(1), a4(14)}}
	})
	low := lan(func(p *Pool) { p.Ranges = []Range{{a4(1), a4(6)}} })
	high := lan(func(p *Pool) {
		p.Scope, p.Subnet, p.Ranges = "high", netip.MustParsePrefix("10.0.0.8/29"), []Range{{a4(9), a4(9)}}
	})
	b := book(t, whole)
	dora(t, b, t0, want(1, a4(9)))
	late := request(t, b, t0.Add(time.Minute), want(1, a4(9)), Renewing, boot.Answered) // on its way to the disk
	if err := b.Configure([]Pool{low, high}); err != nil {
		t.Fatal(err)
	}
	b.Committed(late.Record, nil)
	a := ask(2)
	a.Scope = "high"
	if g, why := b.Offer(t0.Add(130*time.Second), a); why != boot.NoFreeAddress {
		t.Errorf("%s is offered, and in use: %s", g.Record.Addr, why)
	}
	if r, ok := b.ByID("high", machine(1)); !ok || !r.Expires.Equal(late.Record.Expires) {
		t.Errorf("%+v, want it until %s", r, late.Record.Expires)
	}
}
