package etcd

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
)

// outside has a machine get an address that is in nobody's block.
func (n *node) outside(t *testing.T, from int) lease.Record {
	t.Helper()
	for i := range 200 {
		a, err := n.boot(machine(from + i))
		if err != nil {
			t.Fatal(err)
		}
		if n.owner(place{"lan", a}) == "" {
			r, _ := n.book.ByAddr(a)
			return r
		}
	}
	t.Fatal("every address is in a block")
	return lease.Record{}
}

func (n *node) claims(g lease.Grant) error {
	res := make(chan error, 1)
	n.Claim(g, func(err error) { res <- err })
	return <-res
}

// TestRule: what the store has is replaced if package lease says so, and by nothing else: neither a clock nor
// that this node has seen it.
func TestRule(t *testing.T) {
	l, f, nodes, _ := three(t, 256)
	a, b := nodes[0], nodes[1]
	have := a.outside(t, 0)
	l.until("b knows it", func() bool { r, ok := b.book.ByAddr(have.Addr); return ok && r.Serial == have.Serial })
	good := lease.Grant{Keep: true, Claim: true, Prev: have.Serial, PrevID: have.ID, PrevEnd: have.Expires, Record: have}
	good.Record.ID, good.Record.Serial, good.Record.Node = machine(900), have.Serial+1, "b"
	block := b.Status().Networks[0].Blocks[0]
	from, _, _ := strings.Cut(block, "-")
	first := netip.MustParseAddr(from)
	for name, change := range map[string]func(*lease.Grant){
		"another machine had it, with the same serial": func(g *lease.Grant) { g.PrevID = machine(901) },
		"it ends later":               func(g *lease.Grant) { g.PrevEnd = g.PrevEnd.Add(-time.Second) },
		"the store has an older one":  func(g *lease.Grant) { g.Prev++; g.Record.Serial++ },
		"the store has a later one":   func(g *lease.Grant) { g.Prev-- },
		"nobody had it":               func(g *lease.Grant) { g.Prev, g.PrevID, g.PrevEnd = 0, lease.ID{}, time.Time{} },
		"its serial is not a new one": func(g *lease.Grant) { g.Record.Serial = have.Serial },
		"it is in the node's own block": func(g *lease.Grant) {
			g.Prev, g.PrevID, g.PrevEnd, g.Record.Addr, g.Record.Serial = 0, lease.ID{}, time.Time{}, first, 1
		},
	} {
		g := good
		change(&g)
		if err := b.claims(g); !errors.Is(err, lease.ErrLost) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.mu.Lock()
	v := f.values[b.keys.record("lan", have.Addr)]
	f.mu.Unlock()
	if r, err := parseRecord(v.value, "lan", have.Addr); err != nil || r.ID != have.ID {
		t.Errorf("it is %s's, %v", r.ID, err)
	}
	if err := b.claims(good); err != nil {
		t.Errorf("a claim that fits: %v", err)
	}
}

// TestAhead: what this node knows and the store does not is put there, so that claims of it fit again: a
// decline that could not be said.
func TestAhead(t *testing.T) {
	l, _, nodes, _ := three(t, 256)
	a := nodes[0]
	have := a.outside(t, 0)
	r, why := a.book.Decline(a.now(), lease.Ask{Scope: "lan", ID: have.ID, Want: have.Addr})
	if why != boot.Answered {
		t.Fatal(why)
	}
	g := lease.Grant{Keep: true, Claim: true, Prev: r.Serial, PrevEnd: r.Expires, Record: have}
	g.Record.ID, g.Record.Serial = machine(900), r.Serial+1
	if err := a.claims(g); !errors.Is(err, lease.ErrLost) {
		t.Fatalf("a claim over what the store does not have: %v", err)
	}
	l.until("all know of the decline", func() bool { r, _ := nodes[1].book.ByAddr(have.Addr); return r.State == lease.Declined })
	if err := a.claims(g); err != nil {
		t.Errorf("now: %v", err)
	}
}
