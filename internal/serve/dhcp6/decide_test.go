package dhcp6

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp6"
)

// A boot ROM is offered an address and its file's URL, and gets both for good.
func TestBoot(t *testing.T) {
	x := newDesk(t)
	c := client{duid: romDUID, iaid: 7}
	o, ad := x.tell(c, wire.Solicit)
	if ad.Type() != wire.Advertise || o.Seen != boot.DiscoverSeen || o.Client.MAC != clientMAC || o.Client.Firmware != boot.FirmwareEDK2 {
		t.Fatalf("%s, %+v", ad.Type(), o.Client)
	}
	opt := ad.Options()
	for code, want := range map[wire.Code]string{
		wire.BootFileURL:   "tftp://[fd77::2]/efi/nbp.efi", // this node first: it is alive
		wire.BootFileParam: "\x00\x03a=1\x00\x01b",
		wire.PreferenceOpt: "\x07",
		wire.DNSServers:    "\xfd\x77\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x53",
		wire.DomainSearch:  "\x03lab\x07example\x00",
	} {
		if got, _ := opt.Get(code); string(got) != want {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
	if opt.Has(wire.VendorClass) || opt.Has(wire.SNTPServers) {
		t.Error("an answer says what nobody asked for")
	}
	a := x.bind(c)
	if o, reply := x.tell(client{duid: romDUID, iaid: 7, server: ownDUID, addrs: []netip.Addr{a}}, wire.Renew); o.Reason != boot.Answered {
		t.Errorf("renewing: %s", o.Reason)
	} else {
		for ia := range reply.Options().IAs() {
			for a := range ia.Addresses() {
				if ia.T1 != a.Valid/2 || ia.T2 != a.Valid*8/10 || a.Valid < 3590 || a.Valid > 3600 {
					t.Errorf("T1 %d, T2 %d, valid %d", ia.T1, ia.T2, a.Valid)
				}
			}
		}
	}
}

// What firmware is told depends on what it can do.
func TestURLs(t *testing.T) {
	class := func(s string) func(*wire.Writer) {
		return func(w *wire.Writer) { w.PutClass(wire.EnterprisePXE, s) }
	}
	for name, c := range map[string]struct {
		add    func(*wire.Writer)
		url    string
		class  bool
		reason boot.Reason
	}{
		"PXE without option 61 (F22)": {class("PXEClient:Arch:00007:UNDI:003000"), "tftp://[fd77::2]/efi/nbp.efi", false, boot.Answered},
		"HTTP boot":                   {class("HTTPClient:Arch:00016:UNDI:003000"), "http://[fd77::2]:8067/efi/nbp.efi", true, boot.Answered},
		"iPXE": {func(w *wire.Writer) {
			w.Put(wire.ClientArch, []byte{0, 7})
			w.PutTexts(wire.UserClass, "iPXE")
		}, "http://[fd77::2]:8067/boot.ipxe?mac=52:54:00:00:00:01&arch=7", false, boot.Answered},
		"a BIOS, whose server has no IPv6": {func(w *wire.Writer) { w.Put(wire.ClientArch, []byte{0, 0}) }, "", false, boot.NoServer},
		"a system":                         {nil, "", false, boot.NoRule},
	} {
		x := newDesk(t)
		o, ad := x.tell(client{duid: osDUID, plain: true, add: c.add}, wire.Solicit)
		url, _ := ad.Options().Get(wire.BootFileURL)
		_, has := ad.Options().Vendor(wire.EnterprisePXE)
		if string(url) != c.url || has != c.class || o.Decision.Reason != c.reason {
			t.Errorf("%s: %q, class %v, %s", name, url, has, o.Decision.Reason)
		}
		if live, _, _ := given(ad); len(live) != 1 {
			t.Errorf("%s: no address", name)
		}
	}
}

// The machine keeps its address from the ROM to the system, though both call themselves differently.
func TestAddressThroughTheBoot(t *testing.T) {
	x := newDesk(t)
	rom := x.bind(client{duid: romDUID, iaid: 7})
	for name, c := range map[string]client{
		"a system with DUID-LLT":               {duid: osDUID, iaid: 99, plain: true},
		"and without an address made from MAC": {duid: osDUID, iaid: 99, source: "fe80::1:2:3:4", plain: true},
		"a loader with a UUID of its own":      {duid: wire.OfUUID([16]byte{9}), iaid: 3},
	} {
		if a := x.bind(c); a != rom {
			t.Errorf("%s: %s, the ROM had %s", name, a, rom)
		}
	}
	if a := x.bind(client{duid: osDUID, source: "fe80::5054:ff:fe00:2"}); a == rom {
		t.Error("another interface of the machine has the same address")
	}
	if a := x.bind(client{duid: romDUID, iaid: 1, source: "fe80::5054:ff:fe00:99"}); a != addr("fd77::99") {
		t.Errorf("the reservation of 52:54:00:00:00:99 gives %s", a)
	}
}

// Two associations of one DUID never share an address, though one hardware address may stand for both.
func TestSiblings(t *testing.T) {
	x := newDesk(t)
	stack := client{duid: romDUID, iaid: 1, plain: true}
	pxe := client{duid: romDUID, iaid: 2}
	a := x.bind(stack)
	b := x.bind(pxe)
	if a == b {
		t.Fatalf("both have %s", a)
	}
	// EDK2's network stack gives its address back while PXE goes on (captures: ovmf-pxe6).
	release := stack
	release.server, release.addrs = ownDUID, []netip.Addr{a}
	if o, reply := x.tell(release, wire.Release); o.Reason != boot.Answered || len(o.Ended) != 1 || !reply.Options().Has(wire.StatusCode) {
		t.Errorf("release: %s", o.Reason)
	}
	if o, _ := x.tell(release, wire.Release); o.Reason != boot.UnknownLease || len(o.Ended) != 0 {
		t.Errorf("second release: %s", o.Reason)
	}
	renew := pxe
	renew.server, renew.addrs = ownDUID, []netip.Addr{b}
	if _, reply := x.tell(renew, wire.Renew); !slices.Equal(first(given(reply)), renew.addrs) {
		t.Error("PXE's lease is not its own any more")
	}
	// A release of what another program of the machine took over ends nothing.
	os := client{duid: osDUID, iaid: 9, plain: true}
	if got := x.bind(os); got != a {
		t.Fatalf("the system has %s, want %s", got, a)
	}
	if o, _ := x.tell(release, wire.Release); len(o.Ended) != 0 {
		t.Error("the ROM's release ended the system's lease")
	}
	after(t, x, os, a)
	z := newDesk(t) // where the system follows the ROM at once
	rom := z.bind(stack)
	if got := z.bind(os); got != rom {
		t.Fatalf("the system has %s, want %s", got, rom)
	}
	if o, _ := z.tell(release, wire.Release); len(o.Ended) != 0 {
		t.Error("the ROM's release ended the system's lease")
	}
	after(t, z, os, rom)
}

// TestRebootedROM: a machine that is switched off while it boots keeps its address, and its reservation, though
// its firmware calls its association otherwise each time.
func TestRebootedROM(t *testing.T) {
	x := newDesk(t)
	for iaid := range uint32(5) {
		rom := client{duid: romDUID, iaid: 1000 + iaid, source: "fe80::5054:ff:fe00:99"}
		if a := x.bind(rom); a != addr("fd77::99") {
			t.Fatalf("boot %d gives %s instead of the reservation", iaid, a)
		}
	}
	stack := client{duid: romDUID, iaid: 7, plain: true, source: "fe80::5054:ff:fe00:99"}
	first, again := x.bind(stack), x.bind(stack)
	if first == addr("fd77::99") || first != again {
		t.Errorf("the network stack of the same firmware has %s, then %s", first, again)
	}
	release := client{
		duid: romDUID, iaid: 1004, plain: true, source: "fe80::5054:ff:fe00:99", server: ownDUID, addrs: []netip.Addr{addr("fd77::99")},
	}
	if o, _ := x.tell(release, wire.Release); len(o.Ended) != 1 {
		t.Errorf("a RELEASE that does not say that it is a boot's ends nothing: %s", o.Reason)
	}
}

// after looks whether it is known from the records alone, after a restart, who has an address.
func after(t *testing.T, x *desk, os client, a netip.Addr) {
	t.Helper()
	var records []lease.Record
	x.book.Each("", func(r lease.Record) bool { records = append(records, r); return true })
	y := newDesk(t)
	for _, r := range records {
		y.book.Load(r)
	}
	sibling := os
	sibling.iaid, sibling.source = 10, "fe80::1:2:3:5"
	if got := y.bind(sibling); got == a {
		t.Error("after a restart, another interface of the system has the same address")
	}
}

func first(live, _ []netip.Addr, _ wire.Status) []netip.Addr { return live }

// Two associations in one message get an address each.
func TestTwoInOneMessage(t *testing.T) {
	x := newDesk(t)
	_, ad := x.tell(client{duid: osDUID, iaid: 1, add: func(w *wire.Writer) {
		w.BeginIA(wire.IA{Code: wire.IANA, IAID: 2})
		w.EndIA()
		w.BeginIA(wire.IA{Code: wire.IAPD, IAID: 3})
		w.EndIA()
		w.BeginIA(wire.IA{Code: wire.IATA, IAID: 4})
		w.EndIA()
	}}, wire.Solicit)
	live, _, _ := given(ad)
	if len(live) != 2 || live[0] == live[1] {
		t.Errorf("given %v", live)
	}
	var codes []wire.Status
	for ia := range ad.Options().IAs() {
		s, _ := ia.Options.Status()
		codes = append(codes, s)
	}
	if want := []wire.Status{0, 0, wire.NoPrefixAvail, wire.NoAddrsAvail}; !slices.Equal(codes, want) {
		t.Errorf("status codes %v, want %v", codes, want)
	}
}

func TestRapidCommit(t *testing.T) {
	rapid := func(w *wire.Writer) { w.Put(wire.RapidCommit, nil) }
	x := newDesk(t)
	o, reply := x.tell(client{duid: osDUID, add: rapid}, wire.Solicit)
	live, _, _ := given(reply)
	if reply.Type() != wire.Reply || !reply.Options().Has(wire.RapidCommit) || len(live) != 1 || o.records() != 1 {
		t.Errorf("%s, %v, %d records", reply.Type(), live, o.records())
	}
	b, err := wire.Forward(nil, 0, addr("fd88::1"), addr("fe80::5054:ff:fe00:1"), nil, client{duid: osDUID, add: rapid}.message(t, wire.Solicit))
	if err != nil {
		t.Fatal(err)
	}
	if _, ad := x.hear(b, netip.MustParseAddrPort("[fd88::1]:547")); ad.Type() != wire.Advertise || ad.Options().Has(wire.RapidCommit) {
		t.Errorf("where it is off: %s", ad.Type())
	}
}

// What each message gets that asks for something else than all is well.
func TestStatus(t *testing.T) {
	foreign, elsewhere := addr("fd77::5"), addr("fd99::5")
	other := wire.OfUUID([16]byte{8})
	for name, c := range map[string]struct {
		kind   wire.MessageType
		c      client
		to     string
		reason boot.Reason
		reply  bool
		ia     wire.Status
		whole  wire.Status
		gone   []netip.Addr
		live   int
	}{
		"SOLICIT without a client id":      {kind: wire.Solicit, c: client{}, reason: boot.Malformed},
		"SOLICIT with a server id":         {kind: wire.Solicit, c: client{duid: osDUID, server: ownDUID}, reason: boot.Malformed},
		"SOLICIT to this node alone":       {kind: wire.Solicit, c: client{duid: osDUID}, to: "fd77::2", reason: boot.NotMulticast},
		"SOLICIT of nothing":               {kind: wire.Solicit, c: client{duid: osDUID, noIA: true}, reason: boot.OtherMessage},
		"REQUEST of another server":        {kind: wire.Request, c: client{duid: osDUID, server: other}, reason: boot.OtherServer},
		"REQUEST without a server":         {kind: wire.Request, c: client{duid: osDUID}, reason: boot.Malformed},
		"REQUEST to this node alone":       {kind: wire.Request, c: client{duid: osDUID, server: ownDUID}, to: "fd77::2", reason: boot.NotMulticast, reply: true, whole: wire.UseMulticast},
		"REQUEST of another link":          {kind: wire.Request, c: client{duid: osDUID, server: ownDUID, addrs: []netip.Addr{elsewhere}}, reason: boot.WrongNetwork, reply: true, ia: wire.NotOnLink},
		"REQUEST of what is not given":     {kind: wire.Request, c: client{duid: osDUID, server: ownDUID, addrs: []netip.Addr{foreign}}, reason: boot.Answered, reply: true, live: 1},
		"REQUEST of any":                   {kind: wire.Request, c: client{duid: osDUID, server: ownDUID}, reason: boot.Answered, reply: true, live: 1},
		"RENEW of what nobody knows":       {kind: wire.Renew, c: client{duid: osDUID, server: ownDUID, addrs: []netip.Addr{addr("fd77::1005")}}, reason: boot.UnknownLease, reply: true, ia: wire.NoBinding},
		"RENEW of another link":            {kind: wire.Renew, c: client{duid: osDUID, server: ownDUID, addrs: []netip.Addr{elsewhere}}, reason: boot.Answered, reply: true, gone: []netip.Addr{elsewhere}, live: 1},
		"RENEW with another server":        {kind: wire.Renew, c: client{duid: osDUID, server: other, addrs: []netip.Addr{foreign}}, reason: boot.OtherServer},
		"REBIND of what nobody knows":      {kind: wire.Rebind, c: client{duid: osDUID, addrs: []netip.Addr{addr("fd77::1005")}}, reason: boot.UnknownLease},
		"REBIND of another link":           {kind: wire.Rebind, c: client{duid: osDUID, addrs: []netip.Addr{elsewhere}}, reason: boot.Answered, reply: true, gone: []netip.Addr{elsewhere}, live: 1},
		"CONFIRM on the link":              {kind: wire.Confirm, c: client{duid: osDUID, addrs: []netip.Addr{foreign}}, reason: boot.Answered, reply: true},
		"CONFIRM of another link":          {kind: wire.Confirm, c: client{duid: osDUID, addrs: []netip.Addr{elsewhere}}, reason: boot.WrongNetwork, reply: true, whole: wire.NotOnLink},
		"CONFIRM of nothing":               {kind: wire.Confirm, c: client{duid: osDUID}, reason: boot.Malformed},
		"RELEASE of what nobody has":       {kind: wire.Release, c: client{duid: osDUID, server: ownDUID, addrs: []netip.Addr{foreign}}, reason: boot.UnknownLease, reply: true, ia: wire.NoBinding},
		"DECLINE of what nobody has":       {kind: wire.Decline, c: client{duid: osDUID, server: ownDUID, addrs: []netip.Addr{foreign}}, reason: boot.UnknownLease, reply: true, ia: wire.NoBinding},
		"INFORMATION-REQUEST":              {kind: wire.InformationRequest, c: client{duid: osDUID, noIA: true}, reason: boot.Answered, reply: true},
		"INFORMATION-REQUEST without name": {kind: wire.InformationRequest, c: client{noIA: true}, reason: boot.Answered, reply: true},
		"INFORMATION-REQUEST with an IA":   {kind: wire.InformationRequest, c: client{duid: osDUID}, reason: boot.Malformed},
		"ADVERTISE":                        {kind: wire.Advertise, c: client{duid: osDUID, server: other}, reason: boot.NotRequest},
		"a message of no type":             {kind: 99, c: client{duid: osDUID}, reason: boot.OtherMessage},
	} {
		x := newDesk(t)
		if c.to != "" {
			x.to = addr(c.to)
		}
		o, reply := x.tell(c.c, c.kind)
		if o.Reason != c.reason || (reply != nil) != c.reply {
			t.Errorf("%s: %s, answered %v; want %s, %v", name, o.Reason, reply != nil, c.reason, c.reply)
			continue
		}
		if reply == nil {
			continue
		}
		live, gone, status := given(reply)
		whole, _ := reply.Options().Status()
		if status != c.ia || whole != c.whole || !slices.Equal(gone, c.gone) || len(live) != c.live {
			t.Errorf("%s: status %s, of all %s, gone %v, live %v", name, status, whole, gone, live)
		}
		if reply.Type() != wire.Reply {
			t.Errorf("%s: %s", name, reply.Type())
		}
	}
}

// A machine that has an address from elsewhere is told what to boot (RFC 8415 section 18.3.6).
func TestStateless(t *testing.T) {
	x := newDesk(t)
	o, reply := x.tell(client{duid: romDUID, noIA: true}, wire.InformationRequest)
	url, _ := reply.Options().Get(wire.BootFileURL)
	refresh, _ := reply.Options().Get(wire.InfoRefreshTime)
	if string(url) != "tftp://[fd77::2]/efi/nbp.efi" || string(refresh) != "\x00\x00\x0e\x10" || o.Seen != boot.DiscoverSeen {
		t.Errorf("told %q, % x", url, refresh)
	}
}

// A full pool: NoAddrsAvail, and what is said of it is not an address.
func TestFull(t *testing.T) {
	x := newDeskOf(t, 1)
	x.bind(client{duid: osDUID})
	o, ad := x.tell(client{duid: romDUID, source: "fe80::5054:ff:fe00:7"}, wire.Solicit)
	if live, _, status := given(ad); o.Reason != boot.NoFreeAddress || status != wire.NoAddrsAvail || len(live) > 0 {
		t.Errorf("%s, %s, %v", o.Reason, status, live)
	}
}

// Who declines an address gets another, and nobody gets that one for a while.
func TestDecline(t *testing.T) {
	x := newDesk(t)
	c := client{duid: osDUID}
	a := x.bind(c)
	c.server, c.addrs = ownDUID, []netip.Addr{a}
	if o, _ := x.tell(c, wire.Decline); len(o.Ended) != 1 || o.Ended[0].State != lease.Declined {
		t.Fatalf("%+v", o.Ended)
	}
	if b := x.bind(client{duid: osDUID}); b == a {
		t.Errorf("%s again", a)
	}
}

// A lease of another node that this one heard of is renewed when the client asks everybody.
func TestRebindOfAnotherNodesLease(t *testing.T) {
	x := newDesk(t)
	x.book.Load(lease.Record{
		Scope: "lab/6", Addr: addr("fd77::1234"), ID: lease.Hardware(1, clientMAC[:]), MAC: clientMAC, State: lease.Active,
		Start: now.Add(-50 * time.Minute), Expires: now.Add(10 * time.Minute), Node: "boot2", Circuit: holderOf(osDUID, 5), Serial: 4,
	})
	o, reply := x.tell(client{duid: osDUID, iaid: 5, plain: true, addrs: []netip.Addr{addr("fd77::1234")}}, wire.Rebind)
	if live, _, _ := given(reply); !slices.Equal(live, []netip.Addr{addr("fd77::1234")}) || o.records() != 1 {
		t.Errorf("%s: %v", o.Reason, live)
	}
}

// A relay says which link the client is on, and gets its Interface-Id back; the MAC address is what it saw.
func TestRelayed(t *testing.T) {
	x := newDesk(t)
	x.to = addr("fd77::2")
	options := []byte{0, 18, 0, 2, 'g', '1', 0, 79, 0, 8, 0, 1, 0x52, 0x54, 0, 0, 0, 0x42}
	b, err := wire.Forward(nil, 0, addr("fd88::1"), addr("fe80::1:2:3:4"), options, client{duid: romDUID}.message(t, wire.Solicit))
	if err != nil {
		t.Fatal(err)
	}
	o, ad := x.hear(b, netip.MustParseAddrPort("[fd88::1]:547"))
	live, _, _ := given(ad)
	if o.Client.MAC.String() != "52:54:00:00:00:42" || o.Scope != "far" || len(live) != 1 || !prefix("fd88::/64").Contains(live[0]) {
		t.Errorf("%s in %s gets %v", o.Client.MAC, o.Scope, live)
	}
	if id, _ := ad.First().Options.Get(wire.InterfaceID); string(id) != "g1" {
		t.Errorf("interface id %q", id)
	}
	b, _ = wire.Forward(nil, 0, addr("fd99::1"), addr("fe80::1"), nil, client{duid: romDUID}.message(t, wire.Solicit))
	if o, _ := x.hear(b, netip.MustParseAddrPort("[fd99::1]:547")); o.Reason != boot.ScopeUnknown || o.Reply != 0 {
		t.Errorf("of no network: %s", o.Reason)
	}
}

func TestReplyTo(t *testing.T) {
	forward := func(options []byte) []byte {
		b, err := wire.Forward(nil, 0, addr("fd88::1"), addr("fe80::1"), options, client{duid: romDUID}.message(t, wire.Solicit))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		b    []byte
		from string
		want string
	}{
		"a client":                {client{duid: romDUID}.message(t, wire.Solicit), "[fe80::9%eth0]:1234", "[fe80::9%eth0]:546"},
		"a relay":                 {forward(nil), "[fd88::1]:1234", "[fd88::1]:547"},
		"a relay with its port":   {forward([]byte{0, 135, 0, 2, 0, 0}), "[fd88::1]:1234", "[fd88::1]:1234"},
		"a relay on another port": {forward(nil), "[fd88::1]:547", "[fd88::1]:547"},
	} {
		var v wire.View
		if err := v.Parse(c.b); err != nil {
			t.Fatal(err)
		}
		h := Heard{View: &v, From: netip.MustParseAddrPort(c.from)}
		if got := h.reply().String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestConfigRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no DUID":  func(c *Config) { c.DUID = nil },
		"no site":  func(c *Config) { c.Site = nil },
		"IPv4":     func(c *Config) { c.Scopes[0].Subnet = prefix("10.0.0.0/8") },
		"overlaps": func(c *Config) { c.Scopes[1].Subnet = prefix("fd77::/48") },
		"search":   func(c *Config) { c.Scopes[0].Search = []string{"a..b"} },
	} {
		cfg := testConfig()
		change(&cfg)
		if _, err := NewDecider(cfg, testBook(t, 1), nil); err == nil || !strings.HasPrefix(err.Error(), "dhcp6: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A reservation by DUID holds for whatever the machine's link-local address says, before one by MAC address, and for
// one association at a time.
func TestReservedByDUID(t *testing.T) {
	x := newDesk(t)
	id := lease.Machine(osDUID)
	err := x.book.Configure([]lease.Pool{{
		Scope: "lab/6", Subnet: prefix("fd77::/64"), Lease: time.Hour, Ranges: []lease.Range{{From: addr("fd77::1000"), To: addr("fd77::1fff")}},
		Reserved: map[lease.ID]netip.Addr{id: addr("fd77::91")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.Scopes[0].Hosts = map[lease.ID]struct{}{id: {}}
	if x.d, err = NewDecider(cfg, x.book, nil); err != nil {
		t.Fatal(err)
	}
	hidden := client{duid: osDUID, iaid: 7, source: "fe80::dead:beef", plain: true}
	if a := x.bind(hidden); a != addr("fd77::91") {
		t.Errorf("it gets %s", a)
	}
	if a := x.bind(client{duid: osDUID, iaid: 7, plain: true}); a != addr("fd77::91") { // now its MAC address shows
		t.Errorf("with its MAC address it gets %s", a)
	}
	if a := x.bind(client{duid: osDUID, iaid: 8, source: "fe80::dead:beef", plain: true}); a == addr("fd77::91") {
		t.Error("two associations have one address")
	}
	if a := x.bind(client{duid: romDUID, iaid: 7, source: "fe80::dead:beef", plain: true}); a == addr("fd77::91") {
		t.Error("another machine gets it")
	}
}
