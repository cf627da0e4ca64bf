package dhcp4

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/lease"
	"surefoot/internal/rate"
	"surefoot/internal/serve/proxydhcp"
	"surefoot/internal/testkit/dhcpwire"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// framed is a packet as it comes on the wire.
func framed(t testing.TB, p *wire.Packet) []byte {
	t.Helper()
	mac, _ := p.MAC()
	return frame.Datagram{
		SrcMAC: mac, DstMAC: frame.Broadcast, Payload: encoded(t, p),
		Src: netip.MustParseAddrPort("0.0.0.0:68"), Dst: netip.MustParseAddrPort("255.255.255.255:67"),
	}.Frame()
}

func machine(i int) boot.MAC {
	m := boot.MAC{2, 1, 0}
	m[3], m[4], m[5] = byte(i>>16), byte(i>>8), byte(i)
	return m
}

// TestQueue: what waits is bounded, the oldest goes first, and an exchange waits once.
func TestQueue(t *testing.T) {
	q := newQueue(4)
	put := func(mac int, xid uint32, hops uint8) int {
		p := plain(machine(mac))
		p.XID, p.Hops = xid, hops
		b := framed(t, p)
		return q.put(1, func(int) []byte { return b })
	}
	hops := func() (out []byte) {
		var into [8][]byte
		n, _ := q.take(into[:])
		for _, b := range into[:n] {
			out = append(out, b[14+28+3])
		}
		return out
	}
	lost := put(1, 1, 1) + put(2, 1, 2) + put(1, 1, 3) + put(1, 2, 4) + put(3, 1, 5)
	if got := string(hops()); lost != 0 || got != "\x03\x02\x04\x05" {
		t.Errorf("%d lost, %x waited", lost, got)
	}
	for i := range 6 {
		lost += put(i, 1, byte(i))
	}
	if got := string(hops()); lost != 2 || got != "\x02\x03\x04\x05" {
		t.Errorf("%d lost, %x waited", lost, got)
	}
	if put(2, 1, 7) != 0 || string(hops()) != "\x07" {
		t.Error("what was taken out is still waited for")
	}
	if q.put(1, func(int) []byte { return []byte{1, 2, 3} }); string(hops2(q)) != "\x01\x02\x03" {
		t.Error("a short frame is lost: it has to be counted")
	}
	q.close()
	if _, ok := q.take(nil); ok {
		t.Error("closed and empty, and still open")
	}
}

// TestQueueFinishesWhatBegan: a flood of DISCOVERs pushes out no REQUEST and goes behind it, but for a quarter
// of the work.
func TestQueueFinishesWhatBegan(t *testing.T) {
	q := newQueue(8)
	put := func(mac int, kind wire.MessageType) int {
		p := plain(machine(mac))
		p.SetType(kind)
		b := framed(t, p)
		return q.put(1, func(int) []byte { return b })
	}
	lost := 0
	for i := range 6 {
		lost += put(100+i, wire.Request)
	}
	for i := range 20 {
		lost += put(i, wire.Discover)
	}
	if lost != 12 {
		t.Errorf("%d packets were lost, want the 12 oldest DISCOVERs", lost)
	}
	var order string
	for {
		var into [4][]byte
		n, _ := q.take(into[:])
		if n == 0 {
			break
		}
		for _, b := range into[:n] {
			if begins(b) {
				order += "d"
			} else {
				order += "R"
			}
		}
	}
	if order != "RRRdRRRddddddd" {
		t.Errorf("worked on in the order %s", order)
	}
}

func hops2(q *queue) []byte {
	var into [1][]byte
	q.take(into[:])
	return into[0]
}

// wire1 takes what a server sends, in place of the sockets.
type wire1 struct {
	mu      sync.Mutex // guards all below
	batches []int
	replies []*wire.Packet
	sent    chan struct{}
}

func (f *wire1) WriteBatch(_ *rawsock.Sender, frames [][]byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batches = append(f.batches, len(frames))
	for _, b := range frames {
		d, err := frame.Parse(b)
		if err != nil {
			return 0, err
		}
		p, err := wire.Decode(d.Payload)
		if err != nil {
			return 0, err
		}
		f.replies = append(f.replies, p)
		if f.sent != nil {
			f.sent <- struct{}{}
		}
	}
	return len(frames), nil
}

// slow is a Keeper that keeps when it is told to.
type slow struct {
	mu    sync.Mutex // guards waits
	waits []func(error)
	asked chan struct{}
}

func (k *slow) Keep(_ lease.Record, done func(error)) {
	k.mu.Lock()
	k.waits = append(k.waits, done)
	k.mu.Unlock()
	k.asked <- struct{}{}
}

func (k *slow) commit(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, done := range k.waits {
		done(err)
	}
	k.waits = nil
}

// wired is a server without sockets, and its one port.
func wired(t testing.TB, cfg Config, book *lease.Book, keeper Keeper, emit boot.Emit) (*Server, *port, *wire1) {
	t.Helper()
	s, err := New(cfg, Deps{Book: book, Keeper: keeper, Emit: emit, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	p, n := newPort("eth0", 1024), &wire1{}
	l := testLink()
	p.link.Store(l)
	p.frames, s.ip = n, n
	return s, p, n
}

// TestCommitLeavesTogether: no ACK before its lease is kept, and those of one commit leave in one batch.
func TestCommitLeavesTogether(t *testing.T) {
	const machines = 40
	book, keeper := testBook(t, nil), &slow{asked: make(chan struct{}, machines)}
	s, p, n := wired(t, testConfig(), book, keeper, nil)
	var wg sync.WaitGroup
	wg.Go(s.newWorker(p).run)
	n.sent = make(chan struct{}, 2*machines)
	for i := range machines {
		d := plain(machine(i))
		o, why := book.Offer(now, lease.Ask{Scope: "lab", ID: lease.Hardware(1, d.CHAddr[:6]), MAC: machine(i)})
		if why != boot.Answered {
			t.Fatal(why)
		}
		b := framed(t, ask(d, func(p *wire.Packet) {
			p.SetAddr(wire.ServerID, addr("10.77.0.2"))
			p.SetAddr(wire.RequestedAddress, o.Record.Addr)
		}))
		p.queue.put(1, func(int) []byte { return b })
	}
	for range machines {
		<-keeper.asked
	}
	n.mu.Lock()
	early := len(n.replies)
	n.mu.Unlock()
	if early != 0 {
		t.Fatalf("%d answers before anything was kept", early)
	}
	keeper.commit(nil) // before anybody sends: that is how a commit of a real disk comes, all at once
	wg.Go(s.newWorker(p).answer)
	for range machines {
		<-n.sent
	}
	p.queue.close()
	p.settle()
	wg.Wait()
	if len(n.batches) != 1 || n.batches[0] != machines {
		t.Errorf("batches of %v, want one of %d", n.batches, machines)
	}
	for _, r := range n.replies {
		if r.Type() != wire.ACK {
			t.Errorf("%s", r.Summary(nil))
		}
	}
}

// TestStopWaitsForTheDisk: a server that stops still sends the ACKs of leases on their way to the disk.
func TestStopWaitsForTheDisk(t *testing.T) {
	keeper := &slow{asked: make(chan struct{}, 9)}
	c := newCable(t)
	events := make(chan boot.Event, 100)
	s, err := New(testConfig(), Deps{Book: testBook(t, nil), Keeper: keeper, Emit: func(ev boot.Event) { events <- ev }})
	if err != nil {
		t.Fatal(err)
	}
	c.Server.Do(t, func() error { return s.Listen(t.Context()) })
	ctx, stop := context.WithCancel(t.Context())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() { ended <- s.Run(ctx, func() { close(ready) }) }()
	<-ready
	conn := c.Conn(t, wire.ClientPort)
	d := rom(c.MAC, boot.ArchX64, 5)
	c.Broadcast(t, conn, d)
	_, offer := dhcpwire.Await(t, conn, func(_ frame.Datagram, p *wire.Packet) bool { return p.Type() == wire.Offer })
	c.Broadcast(t, conn, requestOf(d, offer))
	<-keeper.asked
	stop()
	keeper.commit(nil)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	dhcpwire.Await(t, conn, func(_ frame.Datagram, p *wire.Packet) bool { return p.Type() == wire.ACK })
}

// TestStarvation: invented machines behind one port of a relay come to an end; a machine with a lease, one
// that asks again, and one behind another port are answered all the same.
func TestStarvation(t *testing.T) {
	cfg := testConfig()
	cfg.Limits = Limits{Offered: 5}.orDefault()
	book := testBook(t, nil)
	p, err := newPlan(cfg)
	if err != nil {
		t.Fatal(err)
	}
	k := &desk{t, newDecider(p, book, nil, newGuard(cfg.Limits)), book, now}
	behind := func(i int, port byte) *wire.Packet {
		p := plain(machine(i))
		p.GIAddr = addr("10.88.0.1")
		p.Set(wire.RelayAgentInfo, []byte{1, 1, port})
		return p
	}
	old := behind(1000, 'a')
	_, offer := k.hear(old, nil)
	if o, _ := k.hear(requestOf(old, offer), nil); o.Reason != boot.Answered {
		t.Fatal(o.Reason)
	}
	reasons := map[boot.Reason]int{}
	for i := range 20 {
		o, _ := k.hear(behind(i, 'a'), nil)
		reasons[o.Reason]++
	}
	if reasons[boot.Answered] != 5 || reasons[boot.StarvationLimit] != 15 {
		t.Errorf("%v", reasons)
	}
	for what, p := range map[string]*wire.Packet{"with a lease": old, "again": behind(3, 'a'), "another port": behind(21, 'b')} {
		if o, _ := k.hear(p, nil); o.Reason != boot.Answered {
			t.Errorf("%s: %s", what, o.Reason)
		}
	}
	k.now = now.Add(3 * time.Minute)
	if o, _ := k.hear(behind(22, 'a'), nil); o.Reason != boot.Answered {
		t.Errorf("three minutes later: %s", o.Reason)
	}
}

// TestNewMachines: so many new machines in a second, of one place.
func TestNewMachines(t *testing.T) {
	g := newGuard(Limits{NewMachines: rate.Rate{PerSecond: 1, Burst: 3}}.orDefault())
	k := newDesk(t, nil)
	k.d.guard = g
	answered := 0
	for i := range 10 {
		if o, _ := k.hear(plain(machine(i)), nil); o.Reason == boot.Answered {
			answered++
		} else if o.Reason != boot.StarvationLimit {
			t.Errorf("%s", o.Reason)
		}
	}
	if answered != 3 {
		t.Errorf("%d of 10 are answered, want 3", answered)
	}
}

// TestRates: one machine, one place and all together.
func TestRates(t *testing.T) {
	one := rate.Rate{PerSecond: 1, Burst: 2}
	many := rate.Rate{PerSecond: 1000, Burst: 1000}
	for name, c := range map[string]struct {
		l    Limits
		want int
	}{
		"machine": {Limits{PerMachine: one, PerPlace: many, Overall: many}, 2},
		"place":   {Limits{PerMachine: many, PerPlace: one, Overall: many}, 2},
		"all":     {Limits{PerMachine: many, PerPlace: many, Overall: one}, 2},
	} {
		l := newLimiter(c.l)
		got := 0
		for range 10 {
			if _, ok := l.admits(now, place{link: "eth0"}, clientMAC); ok {
				got++
			}
		}
		if got != c.want {
			t.Errorf("%s: %d of 10", name, got)
		}
	}
}

// TestOneAnswer: where one node has both roles, each network's machines are answered once on port 67, by
// the role that delivers to it.
func TestOneAnswer(t *testing.T) {
	for _, deliver := range []boot.Delivery{boot.DeliverDHCP, boot.DeliverProxy} {
		c := newCable(t)
		cfg := testConfig()
		cfg.Site.Networks[0].Deliver = deliver
		if deliver != boot.DeliverDHCP {
			cfg.Scopes = cfg.Scopes[1:]
		}
		r := c.start(t, cfg)
		proxyEvents := make(chan boot.Event, 100)
		proxy, err := proxydhcp.New(proxydhcp.Config{Node: "boot1", Site: cfg.Site, Interfaces: []string{"eth0"}},
			proxydhcp.Deps{Emit: func(ev boot.Event) { proxyEvents <- ev }})
		if err != nil {
			t.Fatal(err)
		}
		c.Server.Do(t, func() error { return proxy.Listen(t.Context()) })
		ctx, stop := context.WithCancel(context.Background())
		ready, ended := make(chan struct{}), make(chan error, 1)
		go func() { ended <- proxy.Run(ctx, func() { close(ready) }) }()
		<-ready
		conn := c.Conn(t, wire.ClientPort)
		d := rom(c.MAC, boot.ArchX64, 77)
		c.Broadcast(t, conn, d)
		_, offer := dhcpwire.Await(t, conn, func(_ frame.Datagram, p *wire.Packet) bool { return p.Type() == wire.Offer })
		if offer.YIAddr.IsValid() != (deliver == boot.DeliverDHCP) {
			t.Errorf("%s: yiaddr %s", deliver, offer.YIAddr)
		}
		// A packet that both are silent about goes through both after the DISCOVER: then all is said.
		d.Op = wire.OpReply
		c.Broadcast(t, conn, d)
		told := func(events chan boot.Event) (n int) {
			for {
				switch ev := next(t, events); {
				case ev.Kind == boot.Ignored && ev.Reason == boot.NotRequest:
					return n
				default:
					n++
				}
			}
		}
		ours, theirs := told(r.events), told(proxyEvents)
		if deliver != boot.DeliverDHCP {
			ours, theirs = theirs, ours
		}
		if ours != 2 || theirs != 0 {
			t.Errorf("%s: %d events of the role that delivers, %d of the other", deliver, ours, theirs)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestOddPackets: 50,000 damaged packets through everything but the sockets: no panic, each accounted for.
func TestOddPackets(t *testing.T) {
	var raws [][]byte
	for _, file := range captures(t) {
		raws = append(raws, serverPackets(t, file)...)
	}
	reasons := map[boot.Reason]int{}
	book := testBook(t, nil)
	keeper := &memory{}
	s, p, _ := wired(t, testConfig(), book, keeper, func(ev boot.Event) { reasons[ev.Reason]++ })
	clock := now
	s.d.Now = func() time.Time { return clock }
	w := s.newWorker(p)
	w.renew()
	for i := range 50_000 {
		clock = clock.Add(time.Second)
		b := append([]byte(nil), raws[i%len(raws)]...)
		for j := range i % 7 {
			x := uint32(i*31+j*7919) * 2654435761
			b[int(x)%len(b)] = byte(x >> 24)
		}
		f := frame.Datagram{
			SrcMAC: machine(i), DstMAC: frame.Broadcast, Payload: b[:len(b)-i%5],
			Src: netip.MustParseAddrPort("0.0.0.0:68"), Dst: netip.MustParseAddrPort("255.255.255.255:67"),
		}.Frame()
		if i%100 == 0 {
			f = f[:i/100%len(f)]
		}
		w.frame(f)
		w.flush()
		p.commits.take(nil)
	}
	if reasons[boot.Panicked] > 0 {
		t.Errorf("%d panics", reasons[boot.Panicked])
	}
	total := 0
	for _, n := range reasons {
		total += n
	}
	if total < 50_000 || reasons[boot.Malformed] == 0 || reasons[boot.Answered] == 0 {
		t.Errorf("%d events: %v", total, reasons)
	}
}

// TestReload: from the next packet on, others scopes and another site.
func TestReload(t *testing.T) {
	s, p, n := wired(t, testConfig(), testBook(t, nil), &memory{}, nil)
	w := s.newWorker(p)
	hear := func() *wire.Packet {
		w.renew()
		w.frame(framed(t, rom(clientMAC, boot.ArchX64, 1)))
		w.flush()
		return n.replies[len(n.replies)-1]
	}
	if got := hear().Addr(wire.Router); got != addr("10.77.0.1") {
		t.Fatalf("router %s", got)
	}
	cfg := testConfig()
	cfg.Scopes[0].Routers = []netip.Addr{addr("10.77.0.254")}
	if err := s.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	if got := hear().Addr(wire.Router); got != addr("10.77.0.254") {
		t.Errorf("router %s after the reload", got)
	}
	cfg.Scopes[1].Subnet = cfg.Scopes[0].Subnet
	if err := s.Apply(cfg); err == nil {
		t.Error("overlapping subnets are taken")
	}
	if got := hear().Addr(wire.Router); got != addr("10.77.0.254") {
		t.Errorf("router %s after a reload that failed", got)
	}
}

// TestNew refuses what cannot work.
func TestNew(t *testing.T) {
	deps := Deps{Book: testBook(t, nil), Keeper: &memory{}}
	for name, change := range map[string]func(*Config, *Deps){
		"no site":        func(c *Config, _ *Deps) { c.Site = nil },
		"no interface":   func(c *Config, _ *Deps) { c.Interfaces = nil },
		"no book":        func(_ *Config, d *Deps) { d.Book = nil },
		"no keeper":      func(_ *Config, d *Deps) { d.Keeper = nil },
		"no subnet":      func(c *Config, _ *Deps) { c.Scopes[0].Subnet = netip.Prefix{} },
		"IPv6":           func(c *Config, _ *Deps) { c.Scopes[0].Subnet = netip.MustParsePrefix("fd00::/64") },
		"our own option": func(c *Config, _ *Deps) { c.Scopes[0].Options = []Option{{Code: wire.LeaseTime, Data: []byte{1}}} },
	} {
		cfg, d := testConfig(), deps
		change(&cfg, &d)
		if s, err := New(cfg, d); err == nil || s != nil {
			t.Errorf("%s: taken", name)
		}
	}
}
