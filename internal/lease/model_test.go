package lease

import (
	"errors"
	"flag"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"surefoot/internal/boot"
)

// client is a machine as RFC 2131 4.4 has it: it uses an address only between an ACK and the end
// of the lease by its own clock, which counts from when it sent the request.
type client struct {
	id      ID
	offer   netip.Addr // of the last OFFER
	offered time.Time
	node    int // that made it
	held    netip.Addr
	until   time.Time
	last    netip.Addr
	gen     int // of its exchange: it ignores answers to former ones
}

func (c *client) String() string { return c.id.String() }

func (c *client) uses(now time.Time) bool { return c.held.IsValid() && !now.After(c.until) }

// stop is the client beginning anew: it uses nothing (INIT).
func (c *client) stop() { c.held, c.gen = netip.Addr{}, c.gen+1 }

// ack gives an address to a client, and checks what all of this is about.
func ack(t *rapid.T, clients []*client, c *client, now time.Time, a netip.Addr, sent time.Time, d time.Duration, gen int) {
	if c.gen != gen {
		return
	}
	if d <= 0 {
		t.Fatalf("%s: %s for %s", c.id, a, d)
	}
	if end := sent.Add(d); end.After(now) {
		c.held, c.until, c.last = a, end, a
	}
	for _, o := range clients {
		if o != c && o.held == a && o.uses(now) && c.uses(now) {
			t.Fatalf("%s is used by %s until %s, and given to %s at %s", a, o.id, o.until.Format("15:04:05.000"), c.id, now.Format("15:04:05.000"))
		}
	}
}

// someWhile is a time that goes by: mostly short, sometimes longer than everything.
func someWhile(t *rapid.T) time.Duration {
	unit := rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Second, 10 * time.Second, time.Minute}).Draw(t, "unit")
	return time.Duration(rapid.IntRange(1, 700).Draw(t, "units")) * unit / 10
}

// edgeOf is a time around the end of some client's lease, where mistakes show.
func edgeOf(t *rapid.T, clients []*client, now time.Time) time.Time {
	c := clients[rapid.IntRange(0, len(clients)-1).Draw(t, "edge")]
	at := c.until.Add(-time.Duration(rapid.SampledFrom([]int{0, 0, 100, 900, 1000, 3000, 8000, -1000, -60_000}).Draw(t, "before")) * time.Millisecond)
	if at.Before(now) {
		return now
	}
	return at
}

func lan(mutate func(*Pool)) Pool {
	p := Pool{
		Scope: "lan", Subnet: netip.MustParsePrefix("10.0.0.0/29"), Lease: 2 * time.Minute, MinLease: 30 * time.Second,
		MaxLease: 4 * time.Minute, Offer: 30 * time.Second, Decline: time.Minute,
		Ranges: []Range{{netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("10.0.0.5")}},
	}
	if mutate != nil {
		mutate(&p)
	}
	return p
}

// one is a node of its own, its disk and its clients.
type one struct {
	now     time.Time
	pools   []Pool
	pool    int
	book    *Book
	disk    map[netip.Addr]Record
	way     []underway
	clients []*client
}

// underway is a record between Keep and Committed, and the ACK that waits for it.
type underway struct {
	rec  Record
	c    *client // nil: nobody waits
	sent time.Time
	d    time.Duration
	gen  int
}

func newOne(t *rapid.T) *one {
	r20 := netip.MustParseAddr("10.0.0.2")
	m := &one{now: t0, disk: map[netip.Addr]Record{}, pools: []Pool{
		lan(nil),
		lan(func(p *Pool) {
			p.Reserved = map[ID]netip.Addr{machine(0): r20, machine(1): netip.MustParseAddr("10.0.0.6")}
		}),
		lan(func(p *Pool) {
			p.Reserved = map[ID]netip.Addr{machine(1): r20}
			p.Exclude, p.Rest = []netip.Addr{netip.MustParseAddr("10.0.0.4")}, 10*time.Second
		}),
		lan(func(p *Pool) { p.Ranges, p.Lease = []Range{{r20, r20.Next()}}, time.Minute }),
	}}
	for i := range 7 {
		m.clients = append(m.clients, &client{id: machine(i)})
	}
	m.start(t)
	return m
}

func (m *one) start(t *rapid.T) {
	b, err := NewBook("n1", m.pools[m.pool:m.pool+1])
	if err != nil {
		t.Fatal(err)
	}
	m.book = b
	for _, r := range m.disk {
		b.Load(r)
	}
}

func (m *one) client(t *rapid.T) *client {
	return m.clients[rapid.IntRange(0, len(m.clients)-1).Draw(t, "client")]
}

func (m *one) ask(t *rapid.T, c *client, want netip.Addr) Ask {
	return Ask{Scope: "lan", ID: c.id, Want: want, Host: hostOf(t), For: time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 45, 9999}).Draw(t, "for")) * time.Second}
}

// hostOf is a name that changes now and then, so that a record is written that nothing else asks for.
func hostOf(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", "a", "b"}).Draw(t, "host")
}

// wish is an address that somebody had.
func wish(t *rapid.T, clients []*client) netip.Addr {
	return clients[rapid.IntRange(0, len(clients)-1).Draw(t, "wish")].last
}

// forbidden reports an address that must not be given to a client by the pool of now.
func (m *one) forbidden(id ID, a netip.Addr) bool {
	p := m.pools[m.pool]
	for who, at := range p.Reserved {
		if at == a {
			return who != id
		}
	}
	for _, x := range p.Exclude {
		if x == a {
			return true
		}
	}
	return edge(p.Subnet, a) || !p.Ranges[0].Contains(a)
}

func (m *one) discover(t *rapid.T) {
	c := m.client(t)
	c.stop()
	g, why := m.book.Offer(m.now, m.ask(t, c, wish(t, m.clients)))
	if why != boot.Answered {
		c.offer = netip.Addr{}
		return
	}
	if g.Keep || g.Claim {
		t.Fatal("a lone node claims nothing")
	}
	if m.forbidden(c.id, g.Record.Addr) {
		t.Fatalf("%s offered %s, which it must not have", c.id, g.Record.Addr)
	}
	for _, o := range m.clients {
		if o != c && o.offer == g.Record.Addr && m.now.Before(o.offered.Add(m.pools[m.pool].Offer)) {
			t.Fatalf("%s is offered to %s and %s", o.offer, o.id, c.id)
		}
	}
	c.offer, c.offered = g.Record.Addr, m.now
}

func (m *one) take(t *rapid.T) {
	c := m.client(t)
	if !c.offer.IsValid() {
		return
	}
	c.stop()
	g, why := m.book.Request(m.now, m.ask(t, c, c.offer), Selecting)
	live := m.now.Before(c.offered.Add(m.pools[m.pool].Offer))
	if live && why != boot.Answered {
		t.Fatalf("%s asks for %s, which it was just offered: %s", c.id, c.offer, why)
	}
	m.answer(t, c, g, why)
}

func (m *one) answer(t *rapid.T, c *client, g Grant, why boot.Reason) {
	switch {
	case why != boot.Answered:
	case g.Keep:
		m.way = append(m.way, underway{g.Record, c, m.now, g.For, c.gen})
	default:
		ack(t, m.clients, c, m.now, g.Record.Addr, m.now, g.For, c.gen)
	}
}

func (m *one) renew(t *rapid.T) {
	c := m.client(t)
	if !c.uses(m.now) {
		return
	}
	how := rapid.SampledFrom([]How{Renewing, Rebinding}).Draw(t, "how")
	g, why := m.book.Request(m.now, m.ask(t, c, c.held), how)
	if why != boot.Answered && Naks(how, why, true) {
		c.stop()
	}
	m.answer(t, c, g, why)
}

func (m *one) reboot(t *rapid.T) {
	c := m.client(t)
	if !c.last.IsValid() {
		return
	}
	c.stop()
	c.offer = netip.Addr{} // the Book ends it too
	how := rapid.SampledFrom([]How{InitReboot, InitReboot, BootP}).Draw(t, "how")
	g, why := m.book.Request(m.now, m.ask(t, c, c.last), how)
	m.answer(t, c, g, why)
}

func (m *one) commit(t *rapid.T) {
	if len(m.way) == 0 {
		return
	}
	k := m.way[0]
	m.way = m.way[1:]
	if rapid.IntRange(0, 4).Draw(t, "fails") == 0 {
		m.book.Committed(k.rec, errors.New("no space left on device"))
		if k.c != nil {
			a := Ask{Scope: "lan", ID: k.c.id, Want: k.rec.Addr}
			if g, why := m.book.Confirm(m.now, a); why == boot.Answered {
				ack(t, m.clients, k.c, m.now, g.Record.Addr, m.now, g.For, k.gen)
			}
		}
		return
	}
	if m.disk[k.rec.Addr].Serial >= k.rec.Serial {
		t.Fatalf("%s: serial %d is kept after %d", k.rec.Addr, k.rec.Serial, m.disk[k.rec.Addr].Serial)
	}
	m.disk[k.rec.Addr] = k.rec
	m.book.Committed(k.rec, nil)
	if k.c != nil && rapid.IntRange(0, 4).Draw(t, "lost") != 0 {
		ack(t, m.clients, k.c, m.now, k.rec.Addr, k.sent, k.d, k.gen)
	}
}

func (m *one) end(t *rapid.T) {
	c := m.client(t)
	if !c.uses(m.now) {
		return
	}
	a := Ask{Scope: "lan", ID: c.id, Want: c.held}
	what := rapid.IntRange(0, 2).Draw(t, "what")
	if what == 2 {
		m.void(c.held)
		m.way = append(m.way, underway{rec: m.book.Busy(m.now, "lan", c.held)})
		return // somebody else's: the client goes on
	}
	end := m.book.Release
	if what == 1 {
		end = m.book.Decline
	}
	r, why := end(m.now, a)
	if now, _ := m.book.ByAddr(c.held); why != boot.Answered && now.State == Declined {
		return // by Busy
	}
	if why != boot.Answered {
		t.Fatalf("%s ends its lease of %s: %s", c.id, c.held, why)
	}
	if what == 1 {
		m.void(c.held)
	}
	c.stop()
	c.offer = netip.Addr{}
	m.way = append(m.way, underway{rec: r})
}

// void forgets offers of an address that was found to be in use.
func (m *one) void(a netip.Addr) {
	for _, c := range m.clients {
		if c.offer == a {
			c.offer = netip.Addr{}
		}
	}
}

// crash loses the memory and what was on its way, of which some may have reached the disk.
func (m *one) crash(t *rapid.T) {
	for n := rapid.IntRange(0, 2).Draw(t, "written"); n > 0 && len(m.way) > 0; n-- {
		m.disk[m.way[0].rec.Addr] = m.way[0].rec
		m.way = m.way[1:]
	}
	m.way = nil
	for _, c := range m.clients {
		c.offer = netip.Addr{}
	}
	m.start(t)
}

func (m *one) reload(t *rapid.T) {
	m.pool = rapid.IntRange(0, len(m.pools)-1).Draw(t, "pool")
	if err := m.book.Configure(m.pools[m.pool : m.pool+1]); err != nil {
		t.Fatal(err)
	}
	for _, c := range m.clients { // the test of offers to two goes by one duration, see discover
		if m.forbidden(c.id, c.offer) {
			c.offered = time.Time{}
		}
	}
}

func (m *one) pass(t *rapid.T) { m.passTo(t, m.now.Add(someWhile(t))) }

func (m *one) edge(t *rapid.T) { m.passTo(t, edgeOf(t, m.clients, m.now)) }

func (m *one) passTo(t *rapid.T, now time.Time) {
	m.now = now
	if rapid.Bool().Draw(t, "expire") {
		m.book.Expire(m.now)
	}
}

// manyRuns is rapid.Check with runs enough and long enough to find what goes wrong rarely, unless
// the command line says how many.
func manyRuns(t *testing.T, runs int, f func(*rapid.T)) {
	t.Helper()
	if testing.Short() {
		runs /= 10
	}
	// Not flag.Visit: that counts what this function set for another test as said on the command line.
	checks := flag.Lookup("rapid.checks")
	asked := checks.Value.String() != checks.DefValue
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(runs), "rapid.steps": "120", "rapid.nofailfile": "true"} {
		was := flag.Lookup(name).Value.String()
		if asked {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flag.Set(name, was) })
	}
	rapid.Check(t, f)
}

func TestOneNode(t *testing.T) {
	manyRuns(t, 1000, func(t *rapid.T) {
		m := newOne(t)
		t.Repeat(map[string]func(*rapid.T){
			"discover": m.discover, "discover2": m.discover, "take": m.take, "take2": m.take, "renew": m.renew, "reboot": m.reboot,
			"commit": m.commit, "commit2": m.commit, "end": m.end, "crash": m.crash, "reload": m.reload, "pass": m.pass, "edge": m.edge,
			"": func(t *rapid.T) { consistent(t, m.book) },
		})
	})
}

// consistent compares the sets of a Book with what its rows and holds say.
func consistent(t interface{ Fatalf(string, ...any) }, b *Book) {
	for _, s := range b.scopes {
		for pos, c := range s.cells {
			pos := uint32(pos)
			k, w := s.kinds[pos], s.row(pos)
			if pos < s.plan.size {
				for set := range s.fresh {
					want := k == ordinary+kind(set) && w.blank() && c.hold == 0
					if s.fresh[set].has(pos) != want {
						t.Fatalf("%s: in the set %d of fresh addresses: %v, want %v", s.plan.addr(pos), set, !want, want)
					}
				}
			}
			if w != nil && w.pos != pos || c.hold != 0 && s.holds.at(c.hold).pos != pos {
				t.Fatalf("%s: a row or hold that thinks it is elsewhere", s.plan.addr(pos))
			}
			if w != nil && w.state != Free && !w.ended && (w.due == 0 || w.due > w.expires) {
				t.Fatalf("%s: ends at %d, and comes up at %d", s.plan.addr(pos), w.expires, w.due)
			}
			if w != nil && w.ended && c.hold == 0 && (k == ordinary || k == own) && w.aged == 0 {
				t.Fatalf("%s: ended, and not among those that can be given again", s.plan.addr(pos))
			}
		}
		for id, r := range s.ids {
			if r.row != 0 && s.rows.at(r.row).id != id || r.hold != 0 && s.holds.at(r.hold).id != id || r == (ref{}) {
				t.Fatalf("%s: leads to what is not its own", id)
			}
		}
		u := b.Usage(s.pool.Scope)
		if u.Size != u.Active+u.Offered+u.Declined+u.Resting+u.Reserved+u.Free {
			t.Fatalf("usage does not add up: %+v", u)
		}
	}
}
