package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
)

// speed is how much faster than the clock on the wall the nodes' clocks go, so that a test sees leases end.
const speed = 20

// lab is several nodes and one ledger of who uses which address.
type lab struct {
	t     testing.TB
	began time.Time
	pool  lease.Pool
	dir   string

	mu     sync.Mutex
	holder map[netip.Addr]use
	acks   int
	passed int           // to another machine
	longer time.Duration // the longest time that an answer took
}

type use struct {
	id   lease.ID
	till time.Time
	node string
}

func newLab(t testing.TB, addresses int) *lab {
	return newLabIn(t, netip.MustParsePrefix("10.0.0.1/16"), addresses)
}

// newLabIn is one whose addresses are so many of a subnet, from one on.
func newLabIn(t testing.TB, in netip.Prefix, addresses int) *lab {
	first := in.Addr()
	p := lease.Pool{
		Scope: "lan", Subnet: in.Masked(), Ranges: []lease.Range{{From: first, To: plus(first, uint32(addresses-1))}},
		Lease: 90 * time.Second, MinLease: time.Minute, MaxLease: 90 * time.Second, Offer: 30 * time.Second, Rest: time.Minute,
	}
	return &lab{t: t, began: time.Now(), pool: p, dir: t.TempDir(), holder: map[netip.Addr]use{}}
}

// clock is the true time.
func (l *lab) clock() time.Time {
	return l.began.Truncate(time.Second).Add(speed * time.Since(l.began))
}

// node is one node with its disk, which outlives its process.
type node struct {
	*Cluster
	l     *lab
	name  string
	skew  time.Duration
	dial  func(context.Context) (db, string, func(), error)
	disk  *memory
	stop  func()
	times Times
	crew  []string // the site's nodes
}

// memory is a disk: what was kept survives the process.
type memory struct {
	mu   sync.Mutex
	recs map[netip.Addr]lease.Record
	full error
}

func (m *memory) keep(r lease.Record, done func(error)) {
	m.mu.Lock()
	err := m.full
	if err == nil && r.Serial >= m.recs[r.Addr].Serial {
		m.recs[r.Addr] = r
	}
	m.mu.Unlock()
	done(err)
}

func (l *lab) node(name string, dial func(context.Context) (db, string, func(), error)) *node {
	n := &node{l: l, name: name, dial: dial, disk: &memory{recs: map[netip.Addr]lease.Record{}}}
	n.times = Times{Presence: 300 * time.Millisecond, Upkeep: 50 * time.Millisecond, Beat: 50 * time.Millisecond, Lost: 300 * time.Millisecond, Call: 500 * time.Millisecond, Adopt: 400 * time.Second}
	return n
}

// start begins with what is on the disk.
func (n *node) start() *node {
	b, err := lease.NewBook(n.name, []lease.Pool{n.l.pool})
	if err != nil {
		n.l.t.Fatal(err)
	}
	cfg := Config{Node: n.name, Site: "test", Nodes: 3, Members: n.crew, Pools: []lease.Pool{n.l.pool}, Blocks: filepath.Join(n.l.dir, n.name+".blocks"), Times: n.times}
	n.Cluster = newCluster(cfg, Deps{Now: func() time.Time { return n.l.clock().Add(n.skew) }, Book: b, Keep: n.disk.keep, Log: slog.New(slog.DiscardHandler)})
	n.Cluster.dial = n.dial
	for _, r := range n.disk.recs {
		b.Load(r)
	}
	n.Begin()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = n.Run(ctx, nil) })
	var once sync.Once
	n.stop = func() { once.Do(func() { cancel(); wg.Wait() }) }
	n.l.t.Cleanup(n.stop)
	return n
}

// until waits for something that nodes find out by themselves.
func (l *lab) until(what string, is func() bool) {
	l.t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func (n *node) inContact() bool { return n.Status().Contact }

func (n *node) hasBlocks() bool {
	st := n.Status()
	return len(st.Networks) == 1 && len(st.Networks[0].Blocks) >= leastBlocks
}

func machine(i int) lease.ID { return lease.Hardware(1, []byte{2, 0, 0, 0, byte(i >> 8), byte(i)}) }

// ask is what a server does with a grant of its Book: it claims, or keeps, and falls back.
func (n *node) ask(a lease.Ask, decide func(lease.Ask) (lease.Grant, boot.Reason)) (lease.Grant, boot.Reason) {
	began := time.Now()
	defer func() {
		n.l.mu.Lock()
		n.l.longer = max(n.l.longer, time.Since(began))
		n.l.mu.Unlock()
	}()
	for try := 1; ; try++ {
		g, why := decide(a)
		if why != boot.Answered || !g.Keep {
			return g, why
		}
		res := make(chan error, 1)
		if g.Claim {
			n.Claim(g, func(err error) { n.book.Committed(g.Record, err); res <- err })
		} else {
			n.Keep(g.Record, func(err error) { n.book.Committed(g.Record, err); res <- err })
		}
		err := <-res
		switch {
		case err == nil:
			return g, why
		case !g.Claim || try > 8:
			return g, boot.StoreRefused
		case !errors.Is(err, lease.ErrLost) || try >= 4:
			a.Only = lease.OwnBlock
		}
	}
}

func (n *node) discover(id lease.ID) (lease.Grant, boot.Reason) {
	return n.ask(lease.Ask{Scope: "lan", ID: id}, func(a lease.Ask) (lease.Grant, boot.Reason) { return n.book.Offer(n.now(), a) })
}

// request asks for an address and writes an ACK into the ledger.
func (n *node) request(id lease.ID, addr netip.Addr, how lease.How) boot.Reason {
	sent := n.l.clock()
	g, why := n.ask(lease.Ask{Scope: "lan", ID: id, Want: addr}, func(a lease.Ask) (lease.Grant, boot.Reason) { return n.book.Request(n.now(), a, how) })
	if why == boot.Answered {
		n.l.ack(id, g.Record.Addr, sent, sent.Add(g.For), n.name)
	}
	return why
}

// ack is a machine that begins to use an address, or goes on.
func (l *lab) ack(id lease.ID, addr netip.Addr, sent, till time.Time, node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acks++
	if was, ok := l.holder[addr]; ok && was.id != id && !was.till.Before(sent) {
		l.t.Errorf("%s: given to %s by %s, and %s has it from %s for %s more", addr, id, node, was.id, was.node, was.till.Sub(sent))
	}
	if was, ok := l.holder[addr]; ok && was.id != id {
		l.passed++
	}
	if was := l.holder[addr]; was.id != id || was.till.Before(till) {
		l.holder[addr] = use{id, till, node}
	}
}

// boot is a machine that gets an address from a node.
func (n *node) boot(id lease.ID) (netip.Addr, error) {
	g, why := n.discover(id)
	if why != boot.Answered {
		return netip.Addr{}, fmt.Errorf("no offer: %s", why)
	}
	if why := n.request(id, g.Record.Addr, lease.Selecting); why != boot.Answered {
		return netip.Addr{}, fmt.Errorf("no ack of %s: %s", g.Record.Addr, why)
	}
	return g.Record.Addr, nil
}
