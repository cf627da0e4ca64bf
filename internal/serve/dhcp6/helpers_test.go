package dhcp6

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp6"
)

var (
	clientMAC = boot.MAC{0x52, 0x54, 0, 0, 0, 1}
	ownDUID   = wire.OfUUID([16]byte{1})
	romDUID   = wire.OfUUID([16]byte{0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x88, 0x77, 1, 2, 3, 4, 5, 6, 7, 8})
	osDUID    = append(wire.DUID{0, 1, 0, 1, 9, 9, 9, 9}, clientMAC[:]...)
	now       = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	group     = addr("ff02::1:2")
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func testSite() *boot.Site {
	ap := netip.MustParseAddrPort
	return &boot.Site{
		Name: "lab", Self: "boot1",
		Rules: []boot.Rule{
			{Name: "uefi", When: boot.Match{Arch: boot.ClassUEFIx64.Archs()}, File: "efi/nbp.efi", From: []string{"boot2", "boot1", "old"}},
			{Name: "bios", When: boot.Match{Arch: boot.ClassBIOS.Archs()}, File: "nbp.0", From: []string{"old"}},
		},
		Servers: map[string]boot.Server{
			"boot1": {Name: "boot1", Node: true, TFTP: ap("10.77.0.2:69"), HTTP: ap("10.77.0.2:8067"), TFTP6: ap("[fd77::2]:69"), HTTP6: ap("[fd77::2]:8067")},
			"boot2": {Name: "boot2", Node: true, TFTP: ap("10.77.0.3:69"), TFTP6: ap("[fd77::3]:6969")},
			"old":   {Name: "old", TFTP: ap("10.77.0.9:69")},
		},
		Networks: []boot.Network{
			{Name: "lab", Subnet: prefix("10.77.0.0/24"), Subnet6: prefix("fd77::/64"), Deliver: boot.DeliverNone},
			{Name: "far", Subnet6: prefix("fd88::/64"), Deliver: boot.DeliverNone},
		},
	}
}

func testConfig() Config {
	return Config{
		Node: "boot1", DUID: ownDUID, Site: testSite(), Interfaces: []string{"eth0"},
		Scopes: []Scope{
			{
				Name: "lab/6", Network: "lab", Subnet: prefix("fd77::/64"), Preference: 7, Refresh: time.Hour,
				DNS: []netip.Addr{addr("fd77::53")}, NTP: []netip.Addr{addr("fd77::77")}, Search: []string{"lab.example"},
				Params: map[string][]string{"uefi": {"a=1", "b"}},
			},
			{Name: "far/6", Network: "far", Subnet: prefix("fd88::/64"), NoRapid: true},
		},
	}
}

func testBook(t testing.TB, size int) *lease.Book {
	t.Helper()
	to := addr("fd77::1000")
	for range size - 1 {
		to = to.Next()
	}
	b, err := lease.NewBook("boot1", []lease.Pool{
		{
			Scope: "lab/6", Subnet: prefix("fd77::/64"), Lease: time.Hour, Ranges: []lease.Range{{From: addr("fd77::1000"), To: to}},
			Reserved: map[lease.ID]netip.Addr{lease.Hardware(1, []byte{0x52, 0x54, 0, 0, 0, 0x99}): addr("fd77::99")},
		},
		{Scope: "far/6", Subnet: prefix("fd88::/64"), Lease: time.Hour, Ranges: []lease.Range{{From: addr("fd88::1000"), To: addr("fd88::1fff")}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testLink() Link {
	return Link{Name: "eth0", Index: 2, Addrs: []netip.Prefix{prefix("fe80::2/64"), prefix("fd77::2/64")}}
}

// memory is a Keeper that keeps at once, or refuses.
type memory struct {
	mu      sync.Mutex // guards all below
	refuse  error
	records []lease.Record
}

func (m *memory) Keep(r lease.Record, done func(error)) {
	m.mu.Lock()
	err := m.refuse
	if err == nil {
		m.records = append(m.records, r)
	}
	m.mu.Unlock()
	done(err)
}

func (m *memory) refuseWith(err error) {
	m.mu.Lock()
	m.refuse = err
	m.mu.Unlock()
}

func (m *memory) all() []lease.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]lease.Record(nil), m.records...)
}

// client is a machine with one DUID.
type client struct {
	duid   wire.DUID
	source string // its link-local address; "" is made of clientMAC
	iaid   uint32
	server wire.DUID
	addrs  []netip.Addr
	add    func(*wire.Writer)
	iaCode wire.Code // 0: IA_NA
	plain  bool      // asks for no boot file
	noIA   bool
}

// message is what it sends.
func (c client) message(t testing.TB, kind wire.MessageType) []byte {
	t.Helper()
	var w wire.Writer
	w.BeginMessage(nil, kind, 0x123456)
	if c.duid != nil {
		w.Put(wire.ClientID, c.duid)
	}
	if c.server != nil {
		w.Put(wire.ServerID, c.server)
	}
	if !c.noIA {
		code := c.iaCode
		if code == 0 {
			code = wire.IANA
		}
		w.BeginIA(wire.IA{Code: code, IAID: c.iaid})
		for _, a := range c.addrs {
			w.PutAddress(a, 0, 0)
		}
		w.EndIA()
	}
	if c.plain {
		w.PutCodes(wire.OptionRequest, wire.DNSServers)
	} else {
		w.PutCodes(wire.OptionRequest, wire.BootFileURL, wire.BootFileParam, wire.DNSServers, wire.DomainSearch, wire.NTPServer, wire.InfoRefreshTime)
		w.Put(wire.ClientArch, []byte{0, 7})
		w.PutClass(wire.EnterprisePXE, "PXEClient:Arch:00007:UNDI:003000")
	}
	if c.add != nil {
		c.add(&w)
	}
	b, err := w.End()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (c client) from() netip.Addr {
	if c.source == "" {
		return addr("fe80::5054:ff:fe00:1")
	}
	return addr(c.source)
}

// desk is a Decider whose leases are kept at once.
type desk struct {
	t    testing.TB
	d    *Decider
	book *lease.Book
	now  time.Time
	to   netip.Addr // of the next messages
}

func newDesk(t testing.TB) *desk { return newDeskOf(t, 4096) }

func newDeskOf(t testing.TB, size int) *desk {
	t.Helper()
	x := &desk{t: t, book: testBook(t, size), now: now, to: group}
	var err error
	if x.d, err = NewDecider(testConfig(), x.book, nil); err != nil {
		t.Fatal(err)
	}
	return x
}

// tell has a message decided, and returns the outcome with the answer as a client reads it; nil without one.
func (x *desk) tell(c client, kind wire.MessageType) (Outcome, *wire.View) {
	x.t.Helper()
	return x.hear(c.message(x.t, kind), netip.AddrPortFrom(c.from(), wire.ClientPort))
}

func (x *desk) hear(b []byte, from netip.AddrPort) (Outcome, *wire.View) {
	x.t.Helper()
	var v wire.View
	if err := v.Parse(b); err != nil {
		x.t.Fatal(err)
	}
	h := Heard{View: &v, From: from, To: x.to, Link: testLink()}
	o := x.d.Decide(x.now, h)
	for i := range o.Bindings {
		if g := o.Bindings[i].Grant; g.Keep {
			x.book.Committed(g.Record, nil)
		}
	}
	for _, r := range o.Ended {
		x.book.Committed(r, nil)
	}
	if o.Reply == 0 {
		return o, nil
	}
	out, err := x.d.Append(nil, h, &o)
	if err != nil {
		x.t.Fatal(err)
	}
	answer := new(wire.View)
	if err := answer.Parse(out); err != nil {
		x.t.Fatal(err)
	}
	if answer.XID() != v.XID() || string(answer.ClientID()) != string(v.ClientID()) || string(answer.ServerID()) != string(ownDUID) {
		x.t.Errorf("%s: answer %x of %s to %s", v.Type(), answer.XID(), answer.ServerID(), answer.ClientID())
	}
	return o, answer
}

// given are the addresses of an answer with their valid lifetimes, and the status of its first association.
func given(v *wire.View) (live, gone []netip.Addr, status wire.Status) {
	if v == nil {
		return nil, nil, 0
	}
	n := 0
	for ia := range v.Options().IAs() {
		if n++; n == 1 {
			status, _ = ia.Options.Status()
		}
		for a := range ia.Addresses() {
			if a.Valid > 0 {
				live = append(live, a.Addr)
			} else {
				gone = append(gone, a.Addr)
			}
		}
	}
	return live, gone, status
}

// bind takes a client through REQUEST, and returns its address.
func (x *desk) bind(c client) netip.Addr {
	x.t.Helper()
	_, ad := x.tell(c, wire.Solicit)
	offered, _, _ := given(ad)
	if len(offered) != 1 {
		x.t.Fatalf("offered %v", offered)
	}
	c.server, c.addrs = ownDUID, offered
	_, reply := x.tell(c, wire.Request)
	live, _, status := given(reply)
	if len(live) != 1 || live[0] != offered[0] || status != wire.Success {
		x.t.Fatalf("offered %s, given %v, status %s", offered[0], live, status)
	}
	return live[0]
}
