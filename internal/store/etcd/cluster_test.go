package etcd

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
)

// three are nodes on one store in memory.
func three(t *testing.T, addresses int) (*lab, *fake, []*node, []*wire) {
	l, f := newLab(t, addresses), newFake()
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
	return l, f, nodes, wires
}

// TestSameClient: whoever hears a machine offers it one address.
func TestSameClient(t *testing.T) {
	_, _, nodes, _ := three(t, 256)
	for i := range 20 {
		var got [3]netip.Addr
		var wg sync.WaitGroup
		for j, n := range nodes {
			wg.Go(func() {
				if g, why := n.discover(machine(i)); why == boot.Answered {
					got[j] = g.Record.Addr
				}
			})
		}
		wg.Wait()
		if !got[0].IsValid() || got[0] != got[1] || got[1] != got[2] {
			t.Errorf("machine %d is offered %v", i, got)
		}
	}
}

// TestRace: different machines at once, from all nodes, in a pool that they fill.
func TestRace(t *testing.T) {
	_, _, nodes, _ := three(t, 200)
	var wg sync.WaitGroup
	for i := range 90 {
		wg.Go(func() {
			if _, err := nodes[i%3].boot(machine(i)); err != nil {
				t.Errorf("machine %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

// TestQuorumLost: new machines get addresses of blocks, known ones what is left; when the store is back
// everything is in it, and every node knows it.
func TestQuorumLost(t *testing.T) {
	l, f, nodes, wires := three(t, 256)
	a := nodes[0]
	known, err := a.boot(machine(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wires {
		w.cut.Store(true)
	}
	offline := map[lease.ID]netip.Addr{}
	for i, n := range nodes {
		id := machine(100 + i)
		addr, err := n.boot(id)
		if err != nil {
			t.Fatalf("%s, a new machine: %v", n.name, err)
		}
		if n.owner(place{"lan", addr}) != n.name {
			t.Errorf("%s gave %s, which is not in its blocks", n.name, addr)
		}
		offline[id] = addr
	}
	if why := a.request(machine(1), known, lease.Renewing); why != boot.Answered {
		t.Errorf("a known machine renews: %s", why)
	}
	l.until("they see it", func() bool { return !nodes[0].inContact() && !nodes[1].inContact() && !nodes[2].inContact() })
	if l.longer > time.Second {
		t.Errorf("an answer took %s", l.longer)
	}
	for _, w := range wires {
		w.cut.Store(false)
	}
	for _, n := range nodes {
		l.until(n.name+" has contact", n.inContact)
	}
	for id, addr := range offline {
		for _, n := range nodes {
			l.until(fmt.Sprintf("%s knows %s", n.name, addr), func() bool { r, ok := n.book.ByAddr(addr); return ok && r.ID == id && r.State == lease.Active })
		}
		if v := f.values[a.keys.record("lan", addr)]; v.rev == 0 {
			t.Errorf("%s is not in the store", addr)
		}
	}
	// Now another node can go on with it.
	for id, addr := range offline {
		if why := nodes[1].request(id, addr, lease.Rebinding); why != boot.Answered {
			t.Errorf("%s of another node's block: %s", addr, why)
		}
	}
}

// TestRestartAlone: a node that starts without the store gives out of its blocks, and nothing twice.
func TestRestartAlone(t *testing.T) {
	l, _, nodes, wires := three(t, 256)
	a := nodes[0]
	for _, w := range wires {
		w.cut.Store(true)
	}
	l.until("a sees it", func() bool { return !a.inContact() })
	var first []netip.Addr
	for i := range 5 {
		addr, err := a.boot(machine(i))
		if err != nil {
			t.Fatal(err)
		}
		first = append(first, addr)
	}
	a.stop()
	a.start()
	for i := range 5 {
		addr, err := a.boot(machine(i))
		if err != nil || addr != first[i] {
			t.Errorf("machine %d had %s, and gets %s, %v", i, first[i], addr, err)
		}
		if _, err := a.boot(machine(50 + i)); err != nil {
			t.Errorf("a new machine: %v", err)
		}
	}
	wires[0].cut.Store(false)
	l.until("contact", a.inContact)
	if n := a.Status().Unpublished; n != 0 {
		t.Errorf("%d records are not published", n)
	}
}

// TestNewDisk: blocks of a disk that is gone are not used before what was given out of them is over.
func TestNewDisk(t *testing.T) {
	l, _, nodes, wires := three(t, 256)
	a := nodes[0]
	blocks := a.Status().Networks[0].Blocks
	a.stop()
	a.disk = &memory{recs: map[netip.Addr]lease.Record{}}
	if err := os.Remove(a.cfg.Blocks); err != nil {
		t.Fatal(err)
	}
	a.times.Adopt = time.Hour
	a.start()
	l.until("contact", a.inContact)
	if got := a.Status().Networks[0].Blocks; len(got) > 0 && got[0] == blocks[0] {
		t.Errorf("it uses %v at once", got)
	}
	a.stop()
	a.times.Adopt = time.Second
	a.start()
	l.until("it has its blocks again", a.hasBlocks)
	_ = wires
}

// TestCompacted: what a node missed is gone from the store's memory, and it reads everything.
func TestCompacted(t *testing.T) {
	l, f, nodes, wires := three(t, 256)
	wires[0].cut.Store(true)
	l.until("a sees it", func() bool { return !nodes[0].inContact() })
	addr, err := nodes[1].boot(machine(1))
	if err != nil {
		t.Fatal(err)
	}
	f.compact()
	wires[0].cut.Store(false)
	l.until("a knows it", func() bool { r, ok := nodes[0].book.ByAddr(addr); return ok && r.ID == machine(1) })
	if n := nodes[0].stats.resyncs.Load(); n < 2 {
		t.Errorf("everything was read %d times", n)
	}
}

// TestSetBack: a store that was made anew gets back what the nodes know.
func TestSetBack(t *testing.T) {
	l, f, nodes, wires := three(t, 256)
	addr, err := nodes[0].boot(machine(1))
	if err != nil {
		t.Fatal(err)
	}
	l.until("all know it", func() bool { _, b := nodes[1].book.ByAddr(addr); _, c := nodes[2].book.ByAddr(addr); return b && c })
	for _, w := range wires {
		w.cut.Store(true)
	}
	l.until("they see it", func() bool { return !nodes[0].inContact() && !nodes[1].inContact() && !nodes[2].inContact() })
	f.mu.Lock()
	f.values, f.log, f.rev, f.id = map[string]kv{}, nil, 0, 2
	f.mu.Unlock()
	for _, w := range wires {
		w.cut.Store(false)
	}
	for _, n := range nodes {
		l.until(n.name+" has contact and blocks", func() bool { return n.inContact() && n.hasBlocks() })
	}
	if v := f.values[nodes[0].keys.record("lan", addr)]; v.rev == 0 {
		t.Errorf("%s is not in the store any more", addr)
	}
	if other, err := nodes[1].boot(machine(2)); err != nil || other == addr {
		t.Errorf("another machine gets %s, %v", other, err)
	}
	if same, err := nodes[2].boot(machine(1)); err != nil || same != addr {
		t.Errorf("the machine that had %s gets %s, %v", addr, same, err)
	}
}

// TestAnswerLost: the store did it and the answer got lost. The record is there, and nobody else gets
// the address.
func TestAnswerLost(t *testing.T) {
	l, _, nodes, wires := three(t, 256)
	a := nodes[0]
	wires[0].eats.Store(true)
	g, why := a.discover(machine(1))
	if why != boot.Answered || a.owner(place{"lan", g.Record.Addr}) != "a" {
		t.Fatalf("offered %s, %s", g.Record.Addr, why)
	}
	wires[0].eats.Store(false)
	l.until("contact", a.inContact)
	for i := range 30 {
		if _, err := nodes[i%3].boot(machine(10 + i)); err != nil {
			t.Error(err)
		}
	}
}

// TestDiskFull: a lease that the store has is given, though the node's own disk refuses it; what is the node's
// own is not. When the disk has room again everything is on it.
func TestDiskFull(t *testing.T) {
	l, _, nodes, wires := three(t, 256)
	a := nodes[0]
	full := func(err error) {
		a.disk.mu.Lock()
		a.disk.full = err
		a.disk.mu.Unlock()
	}
	full(os.ErrClosed)
	given := a.outside(t, 0)
	for _, n := range nodes[1:] {
		l.until(n.name+" knows it", func() bool {
			r, ok := n.book.ByAddr(given.Addr)
			return ok && r.ID == given.ID && r.State == lease.Active
		})
	}
	a.disk.mu.Lock()
	kept := len(a.disk.recs)
	a.disk.mu.Unlock()
	if kept > 0 {
		t.Errorf("a full disk has %d records", kept)
	}
	wires[0].cut.Store(true)
	l.until("a sees it", func() bool { return !a.inContact() })
	if addr, err := a.boot(machine(900)); err == nil {
		t.Errorf("%s of its own, though it cannot be kept", addr)
	}
	full(nil)
	l.until("it is on the disk", func() bool { a.disk.mu.Lock(); defer a.disk.mu.Unlock(); return a.disk.recs[given.Addr].ID == given.ID })
}

// TestTwin: two processes with one name give nothing out of the blocks of that name.
func TestTwin(t *testing.T) {
	l, f, nodes, _ := three(t, 256)
	w := &wire{f: f}
	twin := l.node("a", w.dial)
	twin.start()
	l.until("both see it", func() bool { return nodes[0].Status().Twin && twin.Status().Twin })
	if g, why := nodes[0].book.Offer(nodes[0].now(), lease.Ask{Scope: "lan", ID: machine(9), Only: lease.OwnBlock}); why == boot.Answered {
		t.Errorf("it gives out %s by itself", g.Record.Addr)
	}
}

// TestChurn: machines come, renew and go, while links break, are slow and lose answers, clocks differ and
// nodes are killed. No address is ever used by two.
func TestChurn(t *testing.T) {
	l, f, nodes, wires := three(t, 60)
	nodes[1].stop()
	nodes[1].skew = 14 * time.Second
	nodes[1].start()
	nodes[2].stop()
	nodes[2].skew = -15 * time.Second
	nodes[2].start()
	var locks [3]sync.RWMutex // a node that is restarted answers nobody
	end := time.Now().Add(churnTime())
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 7))
			var addr netip.Addr
			for time.Now().Before(end) {
				k := r.IntN(3)
				locks[k].RLock()
				n := nodes[k]
				id := machine(i + 40*r.IntN(2)) // some machines are exchanged for others
				if addr.IsValid() && r.IntN(3) > 0 {
					if n.request(id, addr, lease.How(1+r.IntN(3))) != boot.Answered {
						addr = netip.Addr{}
					}
				} else if a, err := n.boot(id); err == nil {
					addr = a
				}
				locks[k].RUnlock()
				time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
			}
		})
	}
	wg.Go(func() {
		r := rand.New(rand.NewPCG(1, 2))
		for time.Now().Before(end) {
			k := r.IntN(3)
			w := wires[k]
			switch r.IntN(6) {
			case 0:
				w.cut.Store(true)
			case 1:
				w.slow.Store(int64(r.IntN(200)) * int64(time.Millisecond))
			case 2:
				w.eats.Store(true)
			case 3:
				locks[k].Lock()
				nodes[k].stop()
				nodes[k].start()
				locks[k].Unlock()
			case 4:
				f.compact()
			}
			time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
			w.cut.Store(false)
			w.slow.Store(0)
			w.eats.Store(false)
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
		}
	})
	wg.Wait()
	var clashes uint64
	for _, n := range nodes {
		clashes += n.stats.clashes.Load()
	}
	t.Logf("%d ACKs, %d addresses used, the longest answer took %s", l.acks, len(l.holder), l.longer.Round(time.Millisecond))
	if l.acks < 100 || clashes > 0 {
		t.Errorf("%d ACKs, %d clashes", l.acks, clashes)
	}
}

func churnTime() time.Duration {
	if testing.Short() {
		return 2 * time.Second
	}
	return 6 * time.Second
}
