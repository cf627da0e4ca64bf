package etcd

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
)

// blocksOf returns whose blocks the table has, as a node knows it.
func (n *node) blocksOf(name string) (out []lease.Range) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, b := range n.pools["lan"].table.Blocks {
		if b.Node == name {
			out = append(out, b.addrs())
		}
	}
	return out
}

// own asks a node for an address that needs no store.
func (n *node) own(i int) (netip.Addr, boot.Reason) {
	g, why := n.book.Offer(n.now(), lease.Ask{Scope: "lan", ID: machine(i), Only: lease.OwnBlock})
	return g.Record.Addr, why
}

// TestGiveBack: machines that only one node hears get what the others had for themselves, when all that is
// anybody's is used up; and each node keeps some.
func TestGiveBack(t *testing.T) {
	l, f := newLab(t, 100), newFake()
	l.pool.Lease, l.pool.MaxLease, l.pool.Offer = time.Hour, time.Hour, 10*time.Second
	var nodes []*node
	var wires []*wire
	for _, name := range []string{"a", "b", "c"} {
		w := &wire{f: f}
		wires = append(wires, w)
		nodes = append(nodes, l.node(name, w.dial).start())
	}
	for _, n := range nodes {
		l.until(n.name+" has contact and blocks", func() bool { return n.inContact() && n.hasBlocks() })
	}
	a, b := nodes[0], nodes[1]
	size := 8
	for i := range 100 - 2*size { // all but what b and c keep
		l.until("a machine gets an address", func() bool { _, err := a.boot(machine(i)); return err == nil })
	}
	if got := b.blocksOf("b"); len(got) != 1 {
		t.Errorf("b has %v", got)
	}
	l.until("b says so", func() bool { return b.Status().Networks[0].Own == size }) // it counts every now and then
	// What it gave back it does not give any more, also after a restart without the store.
	for _, w := range wires {
		w.cut.Store(true)
	}
	b.stop()
	b.start()
	kept := b.blocksOf("b")
	for i := range size + 2 {
		addr, err := b.boot(machine(500 + i))
		if err == nil && len(kept) > 0 && !slices.ContainsFunc(kept, func(r lease.Range) bool { return r.Contains(addr) }) {
			t.Errorf("it gives %s", addr)
		}
		if (err == nil) != (i < size) {
			t.Errorf("machine %d: %v", i, err)
		}
	}
}

// TestGiveBackWaits: a block stays its owner's until what was given out of it is in the store.
func TestGiveBackWaits(t *testing.T) {
	l, _, nodes, _ := three(t, 256)
	a := nodes[0]
	r := a.blocksOf("a")[0]
	addr, why := a.own(1)
	if why != boot.Answered {
		t.Fatal(why)
	}
	if !r.Contains(addr) {
		r = a.blocksOf("a")[1]
	}
	if a.book.GiveUp(a.now(), "lan", r) {
		t.Error("given up while it is offered")
	}
	if why := a.request(machine(1), addr, lease.Selecting); why != boot.Answered {
		t.Fatal(why)
	}
	l.until("it is published", func() bool { return a.Status().Unpublished == 0 })
	a.mu.Lock()
	p := a.pools["lan"]
	ok := a.book.GiveUp(a.now(), "lan", r)
	a.unsaid[place{"lan", addr}] = 1 << 40 // the Book has not heard of that one yet
	p.mine = slices.DeleteFunc(slices.Clone(p.mine), func(o lease.Range) bool { return o == r })
	p.leaving, p.saved = []lease.Range{r}, false
	a.mu.Unlock()
	if !ok {
		t.Fatal("not given up")
	}
	l.until("its file is written", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return p.saved })
	began := l.clock()
	l.until("some rounds", func() bool { return l.clock().Sub(began) > 20*time.Second })
	if got := nodes[1].blocksOf("a"); !slices.Contains(got, r) {
		t.Error("given back before all is published")
	}
	a.mu.Lock()
	delete(a.unsaid, place{"lan", addr})
	a.mu.Unlock()
	l.until("it is free", func() bool { return !slices.Contains(nodes[1].blocksOf("a"), r) })
	if why := nodes[1].request(machine(1), addr, lease.Rebinding); why != boot.Answered {
		t.Errorf("another node prolongs what was given out of it: %s", why)
	}
}

// TestRemoved: the blocks of a node that is not in the site file any more are free when it cannot be using
// them, and not before.
func TestRemoved(t *testing.T) {
	l, f := newLab(t, 256), newFake()
	l.pool.Lease, l.pool.MinLease, l.pool.MaxLease = 30*time.Second, 10*time.Second, 30*time.Second
	var nodes []*node
	for _, name := range []string{"a", "b", "c"} {
		n := l.node(name, (&wire{f: f}).dial)
		n.times.Alone, n.crew = 40*time.Second, []string{"a", "b", "c"}
		nodes = append(nodes, n.start())
	}
	for _, n := range nodes {
		l.until(n.name+" has contact and blocks", func() bool { return n.inContact() && n.hasBlocks() })
	}
	a, c := nodes[0], nodes[2]
	for i := range 3 {
		if _, why := c.own(i); why != boot.Answered {
			t.Fatal(why)
		}
	}
	c.stop()
	gone := l.clock()
	for _, n := range nodes[:2] {
		n.Configure([]lease.Pool{l.pool}, []string{"a", "b"})
	}
	l.until("its blocks are free", func() bool { return len(a.blocksOf("c")) == 0 })
	if after := l.clock().Sub(gone); after < 40*time.Second+l.pool.Hold() {
		t.Errorf("they are free after %s", after)
	}
	if len(a.blocksOf("b")) < leastBlocks {
		t.Error("those of a node that is there are gone")
	}
}

// TestAlone: a node that the store has not heard of for too long gives nothing of its own, also after a
// restart, and begins again when the store answers.
func TestAlone(t *testing.T) {
	l, f := newLab(t, 256), newFake()
	w := &wire{f: f}
	a := l.node("a", w.dial)
	a.times.Alone = 60 * time.Second
	a.start()
	l.until("contact and blocks", func() bool { return a.inContact() && a.hasBlocks() })
	w.cut.Store(true)
	l.until("it sees it", func() bool { return !a.inContact() })
	if _, why := a.own(1); why != boot.Answered {
		t.Fatalf("at once: %s", why)
	}
	l.until("it stops", func() bool { _, why := a.own(2); return why == boot.StoreRefused })
	a.stop()
	a.start()
	l.until("it stops after a restart", func() bool { _, why := a.own(3); return why == boot.StoreRefused })
	w.cut.Store(false)
	l.until("it begins again", func() bool { _, why := a.own(4); return why == boot.Answered })
}

// TestCrowded: a node for which no block is left says so.
func TestCrowded(t *testing.T) {
	l, f := newLab(t, 4), newFake()
	a := l.node("a", (&wire{f: f}).dial).start()
	l.until("contact", a.inContact)
	if st := a.Status(); !st.Networks[0].Crowded || st.Networks[0].Own != 0 {
		t.Errorf("%+v", st.Networks)
	}
	if _, err := a.boot(machine(1)); err != nil {
		t.Errorf("with the store it gives all the same: %v", err)
	}
	roomy := l.node("b", (&wire{f: newFake()}).dial)
	l.pool.Ranges[0].To = plus(l.pool.Ranges[0].From, 99)
	roomy.start()
	l.until("blocks", func() bool { return roomy.inContact() && roomy.hasBlocks() })
	if roomy.Status().Networks[0].Crowded {
		t.Error("it has blocks, and says that it has none")
	}
}
