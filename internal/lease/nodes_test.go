package lease

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"surefoot/internal/boot"
)

// store is a shared store as etcd is one: one history that all nodes see in the same order, and
// transactions that compare before they write.
type store struct {
	recs   map[netip.Addr]Record
	blocks map[int]int // block → its owner
	log    []event
}

// event is a change that every node gets to see, sooner or later.
type event struct {
	rec   Record
	block int // -1: a record
	owner int // -1: nobody any more
}

func (s *store) put(r Record) {
	s.recs[r.Addr] = r
	s.log = append(s.log, event{rec: r, block: -1})
}

// claim is the transaction behind Grant.Claim.
func (s *store) claim(t *rapid.T, node int, g Grant) bool {
	have := s.recs[g.Record.Addr]
	if g.Fits(have) && g.Record.Serial <= have.Serial {
		t.Fatalf("%s: claimed with serial %d over %d", g.Record.Addr, g.Record.Serial, have.Serial)
	}
	put, ok := g.Claims(have, nodeName(node), s.owner(g.Record.Addr))
	if ok {
		s.put(put)
	}
	return ok
}

func nodeName(n int) string { return string(rune('a' + n)) }

func (s *store) owner(a netip.Addr) string {
	if n, ok := s.blocks[blockOf(a)]; ok {
		return nodeName(n)
	}
	return ""
}

// end is the transaction of a release or a decline.
func (s *store) end(r Record) bool {
	put, ok := End(s.recs[r.Addr], r)
	if ok {
		s.put(put)
	}
	return ok
}

// publish makes a record known that a node kept without a claim.
func (s *store) publish(t *rapid.T, r Record) {
	have := s.recs[r.Addr]
	if have.Serial != 0 && have.ID != r.ID && have.State != Free && have.State != Declined {
		t.Fatalf("%s was given to %s on a node's own authority, and the store has it for %s", r.Addr, r.ID, have.ID)
	}
	if put, ok := Merge(have, r); ok {
		s.put(put)
	}
}

const (
	clusterSize = 6 // addresses: 10.0.0.1 and so on, and one that is reserved outside
	blockSize   = 2
)

func blockOf(a netip.Addr) int { return int(a.As4()[3]-1) / blockSize }

func blockRange(i int) Range {
	from := addrAt(0x0a000001 + uint32(i*blockSize))
	return Range{from, from.Next()}
}

// node is one of several: its clock is off by skew, and its link to the store may be cut.
type node struct {
	n         int
	skew      time.Duration
	linked    bool
	told      bool // what its Book was told
	book      *Book
	disk      map[netip.Addr]Record
	unsaid    map[netip.Addr]Record // on the disk, not published
	seen      int                   // events
	own       []Range
	others    []Range
	full      bool  // its disk refuses everything
	leaving   []int // blocks that it does not give out of any more
	ways      []claimed
	localWays []claimed
}

// claimed is a record on its way to the store, or to the disk.
type claimed struct {
	g      Grant
	c      *client
	sent   time.Time
	gen    int
	offer  bool
	landed bool // the store did it
	won    bool
}

type several struct {
	now     time.Time
	store   *store
	nodes   []*node
	clients []*client
	skew    time.Duration // between the clocks of two nodes, at most
	doubt   bool
}

// drawSkew takes the ends of what may be more often than what is between.
func (m *several) drawSkew(t *rapid.T) time.Duration {
	return m.skew * time.Duration(rapid.SampledFrom([]int{0, 0, 1, 7, 10, 19, 20, 20}).Draw(t, "skew")) / 20
}

// drift sets the clock of a node.
func (m *several) drift(t *rapid.T) { m.node(t).skew = m.drawSkew(t) }

func newSeveral(t *rapid.T) *several {
	// Clocks differ as much as they may, or without a bound, and then every node is in doubt.
	m := &several{now: t0, skew: MostSkew, store: &store{recs: map[netip.Addr]Record{}, blocks: map[int]int{}}}
	if rapid.IntRange(0, 4).Draw(t, "doubt") == 0 {
		m.skew, m.doubt = time.Hour, true
	}
	for n := range rapid.IntRange(2, 3).Draw(t, "nodes") {
		x := &node{n: n, skew: m.drawSkew(t), linked: true, disk: map[netip.Addr]Record{}, unsaid: map[netip.Addr]Record{}}
		m.nodes = append(m.nodes, x)
		m.start(t, x)
	}
	for i := range 8 {
		m.clients = append(m.clients, &client{id: machine(i)})
	}
	return m
}

func (m *several) clock(x *node) time.Time { return m.now.Add(x.skew) }

// start begins with what is on the node's disk, and without contact.
func (m *several) start(t *rapid.T, x *node) {
	p := lan(func(p *Pool) {
		p.Subnet = netip.MustParsePrefix("10.0.0.0/28")
		p.Ranges = []Range{{addrAt(0x0a000001), addrAt(0x0a000000 + clusterSize)}}
		p.Reserved = map[ID]netip.Addr{machine(0): addrAt(0x0a00000d), machine(1): addrAt(0x0a000006)}
		p.Lease, p.MaxLease = 5*time.Minute, 5*time.Minute
	})
	b, err := NewBook(nodeName(x.n), []Pool{p})
	if err != nil {
		t.Fatal(err)
	}
	x.book, x.told, x.ways, x.localWays = b, false, nil, nil
	b.Doubt(m.doubt)
	b.SetOwn("lan", x.own, true)
	b.SetOthers("lan", x.others)
	for _, r := range x.disk {
		b.Load(r)
	}
}

func (m *several) draw(t *rapid.T) (*client, *node) {
	return m.clients[rapid.IntRange(0, len(m.clients)-1).Draw(t, "client")], m.node(t)
}

func (m *several) node(t *rapid.T) *node {
	return m.nodes[rapid.IntRange(0, len(m.nodes)-1).Draw(t, "node")]
}

func (m *several) ask(t *rapid.T, c *client, want netip.Addr) Ask {
	a := Ask{Scope: "lan", ID: c.id, Want: want, Host: hostOf(t)}
	if rapid.IntRange(0, 3).Draw(t, "own") == 0 { // the store is slow: the node does not wait for it
		a.Only = OwnBlock
	}
	return a
}

// keep sends a grant where it belongs.
func (x *node) keep(t *rapid.T, w claimed) {
	switch {
	case w.g.Claim:
		if x.book.offline(&Ask{}) {
			t.Fatal("a claim without contact")
		}
		x.ways = append(x.ways, w)
	case w.g.Keep:
		x.localWays = append(x.localWays, w)
	}
}

func (m *several) discover(t *rapid.T) {
	c, x := m.draw(t)
	m.discoverBy(t, c, x)
}

// dora is a whole exchange in which nothing goes wrong.
func (m *several) dora(t *rapid.T) {
	c, x := m.draw(t)
	m.discoverBy(t, c, x)
	m.finish(t, x)
	m.takeBy(t, c)
	m.finish(t, x)
}

// finish brings everything home that a node has on its way.
func (m *several) finish(t *rapid.T, x *node) {
	for len(x.ways) > 0 && x.linked {
		m.landOf(t, x)
		m.backOf(t, x)
	}
	for len(x.localWays) > 0 {
		m.commitOf(t, x)
	}
}

func (m *several) finishAny(t *rapid.T) { m.finish(t, m.node(t)) }

func (m *several) discoverBy(t *rapid.T, c *client, x *node) {
	c.stop()
	c.offer = netip.Addr{}
	g, why := x.book.Offer(m.clock(x), m.ask(t, c, wish(t, m.clients)))
	if why != boot.Answered {
		return
	}
	if g.Claim {
		x.keep(t, claimed{g: g, c: c, gen: c.gen, offer: true})
		return
	}
	c.offer, c.node, c.offered = g.Record.Addr, x.n, m.now
}

func (m *several) take(t *rapid.T) {
	m.takeBy(t, m.clients[rapid.IntRange(0, len(m.clients)-1).Draw(t, "client")])
}

func (m *several) takeBy(t *rapid.T, c *client) {
	if !c.offer.IsValid() {
		return
	}
	c.stop()
	x := m.nodes[c.node]
	g, why := x.book.Request(m.clock(x), m.ask(t, c, c.offer), Selecting)
	m.answer(t, x, c, g, why)
}

func (m *several) answer(t *rapid.T, x *node, c *client, g Grant, why boot.Reason) {
	switch {
	case why != boot.Answered:
	case g.Keep:
		x.keep(t, claimed{g: g, c: c, gen: c.gen, sent: m.now})
	default:
		ack(t, m.clients, c, m.now, g.Record.Addr, m.now, g.For, c.gen)
	}
}

func (m *several) renew(t *rapid.T) {
	c, x := m.draw(t)
	if !c.uses(m.now) {
		return
	}
	g, why := x.book.Request(m.clock(x), m.ask(t, c, c.held), Rebinding)
	m.answer(t, x, c, g, why)
}

func (m *several) reboot(t *rapid.T) {
	c, x := m.draw(t)
	if !c.last.IsValid() {
		return
	}
	c.stop()
	c.offer = netip.Addr{}
	g, why := x.book.Request(m.clock(x), m.ask(t, c, c.last), InitReboot)
	m.answer(t, x, c, g, why)
}

// confirm is what a node answers when the store lets it wait.
func (m *several) confirm(t *rapid.T) {
	c, x := m.draw(t)
	if !c.uses(m.now) {
		return
	}
	g, why := x.book.Confirm(m.clock(x), m.ask(t, c, c.held))
	m.answer(t, x, c, g, why)
}

// land is a claim that the store gets, perhaps long after it was sent.
func (m *several) land(t *rapid.T) { m.landOf(t, m.node(t)) }

func (m *several) landOf(t *rapid.T, x *node) {
	for i := range x.ways {
		w := &x.ways[i]
		if !w.landed {
			if x.linked {
				w.landed, w.won = true, m.store.claim(t, x.n, w.g)
			}
			return
		}
	}
}

// back is what the node hears of its first claim; without a link, that there is no answer.
func (m *several) back(t *rapid.T) { m.backOf(t, m.node(t)) }

func (m *several) backOf(t *rapid.T, x *node) {
	if len(x.ways) == 0 {
		return
	}
	w := x.ways[0]
	if !w.landed && x.linked {
		return
	}
	x.ways = x.ways[1:]
	if !x.linked || !w.won {
		if x.linked { // lost: whose is it?
			if have, ok := m.store.recs[w.g.Record.Addr]; ok {
				x.load(have)
			}
		}
		x.book.Committed(w.g.Record, errors.New("no"))
		return
	}
	if !x.full && x.disk[w.g.Record.Addr].Serial < w.g.Record.Serial { // the answer leaves all the same
		x.disk[w.g.Record.Addr] = w.g.Record
	}
	x.book.Committed(w.g.Record, nil)
	m.tell(t, x, w)
}

func (m *several) tell(t *rapid.T, x *node, w claimed) {
	switch {
	case w.c == nil || rapid.IntRange(0, 4).Draw(t, "lost") == 0:
	case w.offer && w.c.gen == w.gen:
		w.c.offer, w.c.node, w.c.offered = w.g.Record.Addr, x.n, m.now
	case !w.offer:
		ack(t, m.clients, w.c, m.now, w.g.Record.Addr, w.sent, w.g.For, w.gen)
	}
}

// commit is the node's own disk.
func (m *several) commit(t *rapid.T) { m.commitOf(t, m.node(t)) }

func (m *several) commitOf(t *rapid.T, x *node) {
	if len(x.localWays) == 0 {
		return
	}
	w := x.localWays[0]
	x.localWays = x.localWays[1:]
	if x.full || rapid.IntRange(0, 6).Draw(t, "fails") == 0 {
		x.book.Committed(w.g.Record, errors.New("no space left on device"))
		return
	}
	if !w.g.Record.Own {
		t.Fatalf("%+v is neither claimed nor the node's own", w.g.Record)
	}
	x.disk[w.g.Record.Addr], x.unsaid[w.g.Record.Addr] = w.g.Record, w.g.Record
	x.book.Committed(w.g.Record, nil)
	m.tell(t, x, w)
}

func (m *several) publish(t *rapid.T) { m.publishOf(t, m.node(t)) }

func (m *several) publishOf(t *rapid.T, x *node) {
	if !x.linked {
		return
	}
	for _, a := range addresses() { // in one order, so that a run can be repeated
		if r, ok := x.unsaid[a]; ok {
			m.store.publish(t, r)
			delete(x.unsaid, a)
		}
	}
}

func addresses() (out []netip.Addr) {
	for i := range uint32(16) {
		out = append(out, addrAt(0x0a000000+i))
	}
	return out
}

// load is a record that the node gets to see: for its Book, and for its disk.
func (x *node) load(r Record) {
	x.book.Load(r)
	if now, ok := x.book.ByAddr(r.Addr); ok && !x.full {
		x.disk[r.Addr] = now
	}
}

// fill has the disk of a node refuse everything, or come back: then what it missed is kept.
func (m *several) fill(t *rapid.T) {
	x := m.node(t)
	if x.full = !x.full; x.full {
		return
	}
	for _, a := range addresses() {
		if now, ok := x.book.ByAddr(a); ok && now.Serial > 0 && x.disk[a] != now {
			x.disk[a] = now
		}
	}
}

func (m *several) watch(t *rapid.T) {
	x := m.node(t)
	if x.linked {
		m.catchUp(x, min(len(m.store.log), x.seen+rapid.IntRange(1, 5).Draw(t, "events")))
	}
}

func (m *several) catchUp(x *node, upto int) {
	for ; x.seen < upto; x.seen++ {
		e := m.store.log[x.seen]
		switch {
		case e.block < 0:
			x.load(e.rec)
		case e.owner < 0:
			x.others = slices.DeleteFunc(slices.Clone(x.others), func(r Range) bool { return r == blockRange(e.block) })
			x.book.SetOthers("lan", x.others)
		case e.owner != x.n:
			x.others = append(x.others[:len(x.others):len(x.others)], blockRange(e.block))
			x.book.SetOthers("lan", x.others)
		}
	}
}

// cut takes away or gives back the link of a node to the store. The node finds out later.
func (m *several) cut(t *rapid.T) {
	x := m.node(t)
	x.linked = !x.linked
}

func (m *several) notice(t *rapid.T) {
	x := m.node(t)
	if x.linked {
		m.catchUp(x, len(m.store.log))
		m.publishOf(t, x)
		m.catchUp(x, len(m.store.log))
	}
	x.told = x.linked
	x.book.Contact(x.told, m.clock(x))
}

// grow gives a node a block more. It takes it into use when it has seen all up to its grant.
func (m *several) grow(t *rapid.T) {
	x := m.node(t)
	i := rapid.IntRange(0, clusterSize/blockSize-1).Draw(t, "block")
	if _, taken := m.store.blocks[i]; taken || !x.linked || x.full || len(x.own) > 0 {
		return
	}
	m.store.blocks[i] = x.n
	m.store.log = append(m.store.log, event{block: i, owner: x.n})
	m.catchUp(x, len(m.store.log))
	x.own = append(x.own, blockRange(i))
	x.book.SetOwn("lan", x.own, true)
}

// giveUp takes a block of a node out of use; free gives it back, when everything in it is published.
func (m *several) giveUp(t *rapid.T) {
	x := m.node(t)
	if len(x.own) > 0 && x.linked && !x.full && x.book.GiveUp(m.clock(x), "lan", x.own[0]) {
		x.others = append(slices.Clone(x.others), x.own[0])
		x.leaving = append(x.leaving, blockOf(x.own[0].From))
		x.own = slices.Clone(x.own[1:])
	}
}

func (m *several) free(t *rapid.T) {
	x := m.node(t)
	if len(x.leaving) == 0 || !x.linked {
		return
	}
	i := x.leaving[0]
	for a := range x.unsaid {
		if blockRange(i).Contains(a) {
			return
		}
	}
	delete(m.store.blocks, i)
	m.store.log = append(m.store.log, event{block: i, owner: -1})
	x.leaving = x.leaving[1:]
}

func (m *several) sweep(t *rapid.T) {
	x := m.node(t)
	for _, g := range x.book.Sweep(m.clock(x), "lan", 2) {
		x.keep(t, claimed{g: g})
	}
}

func (m *several) release(t *rapid.T) {
	c, x := m.draw(t)
	if !c.uses(m.now) {
		return
	}
	a := Ask{Scope: "lan", ID: c.id, Want: c.held}
	c.stop()
	c.offer = netip.Addr{}
	r, why := x.book.Release(m.clock(x), a)
	if why != boot.Answered {
		return
	}
	switch {
	case r.Own:
		x.localWays = append(x.localWays, claimed{g: Grant{Record: r}})
	case x.linked && m.store.end(r):
		r = m.store.recs[r.Addr]
		if !x.full {
			x.disk[r.Addr] = r
		}
		x.book.Committed(r, nil)
	default:
		x.book.Committed(r, errors.New("no"))
	}
}

func (m *several) decline(t *rapid.T) {
	c, x := m.draw(t)
	if !c.uses(m.now) {
		return
	}
	r, why := x.book.Decline(m.clock(x), Ask{Scope: "lan", ID: c.id, Want: c.held})
	if why == boot.Answered {
		if x.linked && m.store.end(r) {
			x.book.Committed(r, nil)
		} else {
			x.book.Committed(r, errors.New("no"))
		}
	}
	c.stop()
}

// crash begins anew: everything is read from the store again.
func (m *several) crash(t *rapid.T) {
	x := m.node(t)
	x.seen, x.others, x.leaving = 0, nil, nil
	m.start(t, x)
}

func (m *several) pass(t *rapid.T) { m.passTo(t, m.now.Add(someWhile(t))) }

// edge goes to just before or after the end of some lease.
func (m *several) edge(t *rapid.T) { m.passTo(t, edgeOf(t, m.clients, m.now)) }

func (m *several) passTo(t *rapid.T, now time.Time) {
	m.now = now
	for _, x := range m.nodes {
		if rapid.Bool().Draw(t, "expire") {
			x.book.Expire(m.clock(x))
		}
	}
}

func TestSeveralNodes(t *testing.T) {
	manyRuns(t, 4000, func(t *rapid.T) {
		m := newSeveral(t)
		for _, x := range m.nodes {
			x.told = true
			x.book.Contact(true, m.clock(x))
		}
		t.Repeat(map[string]func(*rapid.T){
			"discover": m.discover, "discover2": m.discover, "take": m.take, "take2": m.take, "renew": m.renew, "reboot": m.reboot,
			"confirm": m.confirm, "land": m.land, "land2": m.land, "back": m.back, "back2": m.back, "commit": m.commit, "commit2": m.commit,
			"publish": m.publish, "watch": m.watch, "cut": m.cut, "notice": m.notice, "notice2": m.notice, "grow": m.grow, "sweep": m.sweep,
			"drift": m.drift, "fill": m.fill, "giveUp": m.giveUp, "free": m.free,
			"release": m.release, "decline": m.decline, "crash": m.crash, "pass": m.pass, "edge": m.edge, "edge2": m.edge, "dora": m.dora, "dora2": m.dora, "dora3": m.dora, "finish": m.finishAny,
			"": func(t *rapid.T) {
				for _, x := range m.nodes {
					consistent(t, x.book)
				}
			},
		})
	})
}
