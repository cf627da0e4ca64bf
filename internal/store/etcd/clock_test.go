package etcd

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
)

// doubts reports whether a node takes clocks to differ.
func (n *node) doubts() bool { return !n.Status().Doubt.IsZero() }

// reset starts nodes anew with clocks that are off.
func reset(nodes []*node, skews ...time.Duration) {
	for i, n := range nodes {
		n.stop()
		n.skew = skews[i]
	}
	for _, n := range nodes {
		n.start()
	}
}

// TestEtcdClocks: as TestEtcdChurn, with clocks that differ as much as they may, and short leases in a pool
// so small that addresses pass from one machine to another. Nobody is in doubt.
func TestEtcdClocks(t *testing.T) {
	m := newMembers(t, 3, false)
	l, nodes := onEtcd(t, m, 48)
	l.pool.Lease, l.pool.MinLease, l.pool.MaxLease, l.pool.Offer = 30*time.Second, 10*time.Second, 30*time.Second, 10*time.Second
	l.pool.Rest = 0 // the floor is a minute
	reset(nodes, 0, lease.MostSkew-time.Second, (lease.MostSkew-time.Second)/2)
	for _, n := range nodes {
		l.until(n.name+" has contact", n.inContact)
	}
	etcdChurn(t, m, l, nodes)
	for _, n := range nodes {
		if n.doubts() {
			t.Errorf("%s is in doubt, with clocks inside the bound", n.name)
		}
	}
	if l.passed == 0 && !testing.Short() {
		t.Error("no address passed from one machine to another, so this proves nothing")
	}
	t.Logf("%d times an address passed on", l.passed)
}

// TestEtcdClocksBeyond: the same with clocks that are off by minutes. All see it, and nothing passes on.
func TestEtcdClocksBeyond(t *testing.T) {
	m := newMembers(t, 3, false)
	l, nodes := onEtcd(t, m, 48)
	l.pool.Lease, l.pool.MinLease, l.pool.MaxLease, l.pool.Offer = 30*time.Second, 10*time.Second, 30*time.Second, 10*time.Second
	l.pool.Rest = 0 // the floor is a minute
	reset(nodes, 0, 10*time.Minute, -10*time.Minute)
	for _, n := range nodes {
		l.until(n.name+" sees it", func() bool { return n.inContact() && n.doubts() })
	}
	was := l.passed
	etcdChurn(t, m, l, nodes)
	for _, n := range nodes {
		if !n.doubts() {
			t.Errorf("%s is not in doubt", n.name)
		}
	}
	if l.passed > was {
		t.Errorf("%d addresses passed on while clocks were off", l.passed-was)
	}
}

// TestClockMended: the doubt goes on for as long as what was promised by the wrong clock, also at a node that
// starts meanwhile, and then ends.
func TestClockMended(t *testing.T) {
	l, _, nodes, _ := three(t, 256)
	b := nodes[1]
	var addr netip.Addr
	for i := range 200 { // one that is in nobody's block
		a, err := b.boot(machine(i))
		if err != nil {
			t.Fatal(err)
		}
		if b.owner(place{"lan", a}) == "" {
			addr = a
			break
		}
	}
	reset(nodes, 0, 45*time.Second, 0)
	for _, n := range nodes {
		l.until(n.name+" sees it", n.doubts)
	}
	reset(nodes, 0, 0, 0)
	mended := l.clock()
	for _, n := range nodes {
		l.until(n.name+" knows of it", n.inContact)
		if !n.doubts() {
			t.Errorf("%s forgot its doubt when it started anew", n.name)
		}
	}
	for _, n := range nodes {
		for n.doubts() {
			if g, why := n.book.Offer(n.now(), lease.Ask{Scope: "lan", ID: machine(999), Want: addr}); why == boot.Answered && g.Record.Addr == addr && n.doubts() {
				t.Fatalf("%s passes on %s", n.name, addr)
			}
			if l.clock().Sub(mended) > 2*l.pool.Hold() {
				t.Fatalf("%s is still in doubt", n.name)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// TestLateWord: a word that was long on its way is no clock that is behind, and one from the future is no way.
func TestLateWord(t *testing.T) {
	now := time.Unix(1e9, 0)
	c := &Cluster{spoke: 10, spokeNow: now.Add(-8 * time.Second)}
	for _, x := range []struct {
		at   time.Duration
		rev  int64
		want time.Duration
	}{
		{0, 11, 0}, {-5 * time.Second, 11, 0}, {-40 * time.Second, 11, -32 * time.Second}, {-time.Hour, 9, 0}, {40 * time.Second, 9, 40 * time.Second},
	} {
		if got := c.off(now.Add(x.at), x.rev, now); got != x.want {
			t.Errorf("a word of %s, at revision %d: off by %s, want %s", x.at, x.rev, got, x.want)
		}
	}
}

// TestUnsureAtFirst: a node that starts passes nothing on before it has heard the others' clocks.
func TestUnsureAtFirst(t *testing.T) {
	l, _, nodes, wires := three(t, 256)
	a, b := nodes[0], nodes[1]
	addr := a.outside(t, 0).Addr
	l.until("its lease is over and has rested", func() bool {
		r, ok := b.book.ByAddr(addr)
		return ok && b.now().Sub(r.Expires) > 2*time.Minute
	})
	asks := 900
	passes := func() bool {
		asks++
		g, why := b.book.Offer(b.now(), lease.Ask{Scope: "lan", ID: machine(asks), Want: addr})
		b.book.Committed(g.Record, lease.ErrNoContact)
		return why == boot.Answered && g.Record.Addr == addr
	}
	b.stop()
	for _, w := range []*wire{wires[0], wires[2]} {
		w.cut.Store(true) // nobody says anything
	}
	l.until("they are out", func() bool { return !a.inContact() && !nodes[2].inContact() })
	b.times.Presence = 20 * time.Second // of its clock: a second
	b.start()
	l.until("contact", b.inContact)
	if passes() {
		t.Error("it passes on what it knows by its own clock only")
	}
	l.until("it goes by its own clock in the end", passes)
	b.stop()
	for _, w := range []*wire{wires[0], wires[2]} {
		w.cut.Store(false)
	}
	l.until("they are back", func() bool { return a.inContact() && nodes[2].inContact() })
	b.times.Presence = 2 * time.Hour // so it does not speak again; the others do, when it starts
	b.start()
	l.until("it has heard the others", passes)
}
