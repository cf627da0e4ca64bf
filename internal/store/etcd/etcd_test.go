package etcd

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
)

// onEtcd are three nodes on real members, each preferring another one.
func onEtcd(t *testing.T, m *members, addresses int) (*lab, []*node) {
	return onEtcdIn(t, m, newLab(t, addresses))
}

func onEtcdIn(t *testing.T, m *members, l *lab) (*lab, []*node) {
	var nodes []*node
	for i, name := range []string{"a", "b", "c"} {
		nodes = append(nodes, l.node(name, m.dial(i)).start())
	}
	for _, n := range nodes {
		l.until(n.name+" has contact and blocks", func() bool { return n.inContact() && n.hasBlocks() })
	}
	return l, nodes
}

// TestStore: what all the rest relies on holds for the store in memory and for the real one.
func TestStore(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		w := &wire{f: newFake()}
		testStore(t, w, func(context.Context, int64) error { w.f.compact(); return nil })
	})
	t.Run("etcd", func(t *testing.T) {
		m := newMembers(t, 1, false)
		store, _, closeIt, err := m.dial(0)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer closeIt()
		testStore(t, store, func(ctx context.Context, rev int64) error {
			return second(m.client(m.clients...).Compact(ctx, rev))
		})
	})
}

func testStore(t *testing.T, store db, compact func(context.Context, int64) error) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var batch []txn
	for i := range maxBatch {
		key := newKeys("p", "s").record("lan", plus(netip.MustParseAddr("10.0.0.1"), uint32(i)))
		batch = append(batch, txn{[]cond{{key, 0}, {"/p/s/1/b/lan", 0}}, []write{{key, []byte{1}}}})
	}
	if res, err := store.Commit(ctx, batch[0]); err != nil || !res[0].done {
		t.Fatalf("one: %+v, %v", res, err)
	}
	res, err := store.Commit(ctx, batch...)
	if err != nil || len(res) != maxBatch || res[0].done || len(res[0].have) != 2 || res[0].have[0].rev == 0 || res[0].have[1].rev != 0 {
		t.Fatalf("a full batch of which one is lost: %+v, %v", res, err)
	}
	for i, r := range res[1:] {
		if !r.done || r.rev != res[0].rev {
			t.Fatalf("transaction %d does not win beside one that is lost: %+v", i+1, r)
		}
	}
	var all []kv
	from := ""
	for more, rev := true, int64(0); more; {
		var list []kv
		if list, more, rev, err = store.List(ctx, "/p/s/1/", from, 7, rev); err != nil {
			t.Fatal(err)
		}
		all = append(all, list...)
		from = list[len(list)-1].key + "\x00"
	}
	if len(all) != maxBatch {
		t.Errorf("%d keys are listed", len(all))
	}
	if err := compact(ctx, res[0].rev); err != nil {
		t.Fatal(err)
	}
	if err := store.Watch(ctx, "/p/", res[0].rev-1, func([]kv) {}); err != errCompacted {
		t.Errorf("a watch of the past: %v", err)
	}
	if _, at, err := store.Read(ctx, "x"); err != nil || at != res[0].rev {
		t.Errorf("it is at revision %d, %v", at, err)
	}
	if id := store.(interface{ Cluster() uint64 }).Cluster(); id == 0 {
		t.Error("it does not say which store it is")
	}
}

func TestEtcdTLS(t *testing.T) {
	m := newMembers(t, 1, true)
	l := newLab(t, 256)
	n := l.node("a", m.dial(0)).start()
	l.until("contact", n.inContact)
	if _, err := n.boot(machine(1)); err != nil {
		t.Error(err)
	}
	good := m.login
	m.login.Cert, m.login.Key = "", ""
	if _, _, _, err := m.dial(0)(t.Context()); err == nil {
		t.Error("a node without a certificate is let in")
	}
	m.login = good
	m.login.CA = filepath.Join(m.dir, "missing.crt")
	if _, _, _, err := m.dial(0)(t.Context()); err == nil {
		t.Error("a node without its authority's certificate connects")
	}
	m.login = good
}

// TestEtcdLogin: with etcd's own users; a wrong password gives no contact, and one that is mended does.
func TestEtcdLogin(t *testing.T) {
	m := newMembers(t, 1, false)
	c := m.client(m.clients...)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, err := range []error{
		second(c.UserAdd(ctx, "root", "r")), second(c.RoleAdd(ctx, "root")), second(c.UserGrantRole(ctx, "root", "root")),
		second(c.UserAdd(ctx, "surefoot", "secret")), second(c.RoleAdd(ctx, "surefoot")),
		second(c.RoleGrantPermission(ctx, "surefoot", "/surefoot/", "/surefoot0", 2)), second(c.UserGrantRole(ctx, "surefoot", "surefoot")),
		second(c.AuthEnable(ctx)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(m.dir, "password")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong")
	m.login.User, m.login.Password = "surefoot", file
	l := newLab(t, 256)
	n := l.node("a", m.dial(0)).start()
	l.until("it says why", func() bool { return n.Status().Why != "" })
	t.Log(n.Status().Why)
	write("secret")
	l.until("contact", n.inContact)
	if _, err := n.boot(machine(1)); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestEtcdHung: a member that hangs, with its connections up, is left for another one.
func TestEtcdHung(t *testing.T) {
	m := newMembers(t, 3, false)
	l, nodes := onEtcd(t, m, 256)
	a := nodes[0]
	hung := 0
	m.signal(hung, syscall.SIGSTOP)
	defer m.signal(hung, syscall.SIGCONT)
	if _, err := a.boot(machine(1)); err != nil {
		t.Errorf("while it finds out: %v", err)
	}
	l.until("another member is used", func() bool { st := a.Status(); return st.Contact && st.Endpoint != m.clients[hung] })
	if l.longer > time.Second {
		t.Errorf("an answer took %s", l.longer)
	}
}

// TestEtcdQuorum: the quorum is lost and comes back; in between every node answers, also one that starts
// then.
func TestEtcdQuorum(t *testing.T) {
	t.Run("IPv4", func(t *testing.T) { testQuorum(t, netip.MustParsePrefix("10.0.0.1/16"), 400) })
	t.Run("IPv6", func(t *testing.T) { testQuorum(t, netip.MustParsePrefix("fd00::fff0/64"), 4096) })
}

func testQuorum(t *testing.T, in netip.Prefix, addresses int) {
	m := newMembers(t, 3, false)
	l, nodes := onEtcdIn(t, m, newLabIn(t, in, addresses))
	for i := range 30 {
		if _, err := nodes[i%3].boot(machine(i)); err != nil {
			t.Error(err)
		}
	}
	m.kill(1)
	m.kill(2)
	for i := range 12 {
		if _, err := nodes[i%3].boot(machine(100 + i)); err != nil {
			t.Errorf("without a quorum, machine %d: %v", i, err)
		}
	}
	l.until("they see it", func() bool { return !nodes[0].inContact() && !nodes[1].inContact() && !nodes[2].inContact() })
	nodes[2].stop()
	nodes[2].start()
	if _, err := nodes[2].boot(machine(200)); err != nil {
		t.Errorf("restarted alone: %v", err)
	}
	m.start(1)
	m.start(2)
	for _, n := range nodes {
		l.until(n.name+" has contact", n.inContact)
		if st := n.Status(); st.Unpublished > 0 {
			t.Errorf("%s: %d records are not published", n.name, st.Unpublished)
		}
	}
	want, _ := nodes[2].book.ByID("lan", machine(200))
	for _, n := range nodes {
		l.until(n.name+" knows all", func() bool { r, ok := n.book.ByAddr(want.Addr); return ok && r.ID == want.ID })
	}
	if l.longer > time.Second {
		t.Errorf("an answer took %s", l.longer)
	}
}

// TestEtcdChurn: as TestChurn, with members that are killed, stopped and started, and leaders first.
func TestEtcdChurn(t *testing.T) {
	m := newMembers(t, 3, false)
	l, nodes := onEtcd(t, m, 60)
	etcdChurn(t, m, l, nodes)
}

// etcdChurn has machines come and go while members do, and nodes.
func etcdChurn(t *testing.T, m *members, l *lab, nodes []*node) {
	var locks [3]sync.RWMutex
	end := time.Now().Add(2 * churnTime())
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 9))
			var addr netip.Addr
			for time.Now().Before(end) {
				k := r.IntN(3)
				locks[k].RLock()
				id := machine(i + 30*r.IntN(2))
				if addr.IsValid() && r.IntN(3) > 0 {
					if nodes[k].request(id, addr, lease.How(1+r.IntN(3))) != boot.Answered {
						addr = netip.Addr{}
					}
				} else if a, err := nodes[k].boot(id); err == nil {
					addr = a
				}
				locks[k].RUnlock()
				time.Sleep(time.Duration(r.IntN(200)) * time.Millisecond)
			}
		})
	}
	for i := 0; time.Now().Before(end); i++ {
		switch i % 4 {
		case 0:
			if k := m.leader(); k >= 0 {
				m.kill(k)
				time.Sleep(1200 * time.Millisecond)
				m.start(k)
			}
		case 1: // no quorum
			m.signal(0, syscall.SIGSTOP)
			m.signal(1, syscall.SIGSTOP)
			time.Sleep(1500 * time.Millisecond)
			m.signal(0, syscall.SIGCONT)
			m.signal(1, syscall.SIGCONT)
		case 2:
			k := i % 3
			locks[k].Lock()
			nodes[k].stop()
			nodes[k].start()
			locks[k].Unlock()
		case 3:
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			c := m.client(m.clients...)
			if res, err := c.Get(ctx, "x"); err == nil {
				_, _ = c.Compact(ctx, res.Header.Revision)
			}
			cancel()
		}
		time.Sleep(500 * time.Millisecond)
	}
	wg.Wait()
	for _, n := range nodes {
		if n := n.stats.clashes.Load(); n > 0 {
			t.Errorf("%d clashes", n)
		}
		l.until(n.name+" has contact in the end", n.inContact)
	}
	t.Logf("%d ACKs, %d addresses used, the longest answer took %s", l.acks, len(l.holder), l.longer.Round(time.Millisecond))
	if l.acks < 100 {
		t.Errorf("%d ACKs", l.acks)
	}
}
