package dhcp4

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// desk is a Decider with its Book.
type desk struct {
	t    *testing.T
	d    *Decider
	book *lease.Book
	now  time.Time
}

func newDesk(t *testing.T, change func(*Config, []lease.Pool)) *desk {
	t.Helper()
	cfg, pools := testConfig(), testPools()
	if change != nil {
		change(&cfg, pools)
	}
	book, err := lease.NewBook("boot1", pools)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecider(cfg, book, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &desk{t, d, book, now}
}

// hear decides about a packet, as a broadcast on the wire if change does not say otherwise, and keeps what
// is to be kept. The reply is decoded from its bytes.
func (k *desk) hear(p *wire.Packet, change func(*Heard)) (Outcome, *wire.Packet) {
	k.t.Helper()
	h, _ := heardOf(k.t, p)
	if change != nil {
		change(&h)
	}
	o := k.d.Decide(k.now, h)
	if o.Grant.Keep {
		k.book.Committed(o.Grant.Record, nil)
	}
	if o.Ended.Addr.IsValid() {
		k.book.Committed(o.Ended, nil)
	}
	if o.Reply.Type == 0 && !o.Reply.BOOTP {
		return o, nil
	}
	b, err := k.d.Append(nil, h, &o)
	if err != nil {
		k.t.Fatal(err)
	}
	reply, err := wire.Decode(b)
	if err != nil {
		k.t.Fatal(err)
	}
	return o, reply
}

// plain is the DISCOVER of an ordinary computer.
func plain(mac boot.MAC) *wire.Packet {
	p := &wire.Packet{Op: wire.OpRequest, XID: 7}
	p.SetMAC(mac)
	p.SetType(wire.Discover)
	p.Set(wire.ParameterList, []byte{1, 3, 6, 15, 12, 28, 42, 26, 121})
	return p
}

func ask(p *wire.Packet, change func(*wire.Packet)) *wire.Packet {
	q := *p
	q.Options = slices.Clone(p.Options)
	q.SetType(wire.Request)
	if change != nil {
		change(&q)
	}
	return &q
}

// lease1 gives the client a lease and returns its address.
func (k *desk) lease1(p *wire.Packet) netip.Addr {
	k.t.Helper()
	_, offer := k.hear(p, nil)
	_, ack := k.hear(requestOf(p, offer), nil)
	if ack.Type() != wire.ACK {
		k.t.Fatalf("%s to the request", ack.Type())
	}
	return ack.YIAddr
}

func unicast(h *Heard) {
	h.From, h.To = netip.MustParseAddrPort("10.77.0.100:68"), netip.MustParseAddrPort("10.77.0.2:67")
}

// TestRequest goes through table 4 of RFC 2131 section 4.3.2, with a machine that has a lease, one that
// has none, and one that has moved; as an ordinary computer and as a boot ROM.
func TestRequest(t *testing.T) {
	own, of := addr("10.77.0.2"), func(p *wire.Packet, a netip.Addr) { p.SetAddr(wire.RequestedAddress, a) }
	const ack, nak, none = wire.ACK, wire.NAK, wire.MessageType(0)
	cases := map[string]struct {
		change func(p *wire.Packet, mine, others netip.Addr)
		uni    bool
		known  bool
		strict wire.MessageType // authoritative, an ordinary computer
		lax    wire.MessageType // not authoritative
		rom    wire.MessageType // authoritative, a boot ROM
		reason boot.Reason
	}{
		"selecting": {
			change: func(p *wire.Packet, mine, _ netip.Addr) { of(p, mine); p.SetAddr(wire.ServerID, own) },
			known:  true, strict: ack, lax: ack, rom: ack, reason: boot.Answered,
		},
		"selecting, with ciaddr in place of option 50": {
			change: func(p *wire.Packet, mine, _ netip.Addr) { p.CIAddr = mine; p.SetAddr(wire.ServerID, own) },
			known:  true, strict: ack, lax: ack, rom: ack, reason: boot.Answered,
		},
		"selecting another server": {
			change: func(p *wire.Packet, mine, _ netip.Addr) { of(p, mine); p.SetAddr(wire.ServerID, addr("10.77.0.9")) },
			known:  true, reason: boot.OtherServer,
		},
		"selecting what somebody has": {
			change: func(p *wire.Packet, _, others netip.Addr) { of(p, others); p.SetAddr(wire.ServerID, own) },
			strict: nak, lax: nak, rom: none, reason: boot.LeaseOfOther,
		},
		"selecting nothing": {
			change: func(p *wire.Packet, _, _ netip.Addr) { p.SetAddr(wire.ServerID, own) },
			reason: boot.Malformed,
		},
		"init-reboot": {
			change: func(p *wire.Packet, mine, _ netip.Addr) { of(p, mine) },
			known:  true, strict: ack, lax: ack, rom: ack, reason: boot.Answered,
		},
		"init-reboot on another network": {
			change: func(p *wire.Packet, _, _ netip.Addr) { of(p, addr("192.168.1.9")) },
			strict: nak, lax: none, rom: none, reason: boot.WrongNetwork,
		},
		"init-reboot with somebody's address": {
			change: func(p *wire.Packet, _, others netip.Addr) { of(p, others) },
			strict: nak, lax: none, rom: none, reason: boot.LeaseOfOther,
		},
		"renewing": {
			change: func(p *wire.Packet, mine, _ netip.Addr) { p.CIAddr = mine }, uni: true,
			known: true, strict: ack, lax: ack, rom: ack, reason: boot.Answered,
		},
		"renewing, with option 50 besides": {
			change: func(p *wire.Packet, mine, _ netip.Addr) { p.CIAddr = mine; of(p, addr("192.168.1.9")) }, uni: true,
			known: true, strict: ack, lax: ack, rom: ack, reason: boot.Answered,
		},
		"rebinding": {
			change: func(p *wire.Packet, mine, _ netip.Addr) { p.CIAddr = mine },
			known:  true, strict: ack, lax: ack, rom: ack, reason: boot.Answered,
		},
		"rebinding what somebody has": {
			change: func(p *wire.Packet, _, others netip.Addr) { p.CIAddr = others },
			strict: nak, lax: none, rom: none, reason: boot.LeaseOfOther,
		},
		"nothing at all": {
			change: func(*wire.Packet, netip.Addr, netip.Addr) {}, reason: boot.Malformed,
		},
	}
	for name, c := range cases {
		for _, side := range []struct {
			name   string
			p      *wire.Packet
			strict bool
			want   wire.MessageType
		}{
			{"authoritative", plain(clientMAC), true, c.strict},
			{"not authoritative", plain(clientMAC), false, c.lax},
			{"boot ROM", rom(clientMAC, boot.ArchX64, 7), true, c.rom},
		} {
			t.Run(name+"/"+side.name, func(t *testing.T) {
				k := newDesk(t, func(cfg *Config, _ []lease.Pool) { cfg.Scopes[0].Authoritative = side.strict })
				others := k.lease1(plain(boot.MAC{2, 9, 9, 9, 9, 9}))
				mine := addr("10.77.0.149")
				if c.known {
					mine = k.lease1(side.p)
				}
				var way func(*Heard)
				if c.uni {
					way = unicast
				}
				o, reply := k.hear(ask(side.p, func(p *wire.Packet) { c.change(p, mine, others) }), way)
				if o.Reason != c.reason || o.Reply.Type != side.want {
					t.Fatalf("%s, %s; want %s, %s", o.Reason, o.Reply.Type, c.reason, side.want)
				}
				switch side.want {
				case ack:
					if reply.YIAddr != mine || !reply.Addr(wire.ServerID).IsValid() || !reply.Addr(wire.SubnetMask).IsValid() {
						t.Errorf("%s", reply.Summary(nil))
					}
				case nak:
					if reply.YIAddr.IsValid() || reply.SIAddr.IsValid() || o.Route.DstMAC != frame.Broadcast || reply.Text(wire.Message) == "" {
						t.Errorf("%s by %s", reply.Summary(nil), o.Route)
					}
					if _, has := reply.Get(wire.LeaseTime); has {
						t.Error("a NAK with a lease (RFC 2131 table 3)")
					}
				}
			})
		}
	}
}

// TestROMMayBeRefused: a scope can ask for NAKs to boot ROMs too.
func TestROMMayBeRefused(t *testing.T) {
	k := newDesk(t, func(cfg *Config, _ []lease.Pool) { cfg.Scopes[0].NAKPXE = true })
	o, _ := k.hear(ask(rom(clientMAC, boot.ArchBIOS, 1), func(p *wire.Packet) { p.SetAddr(wire.RequestedAddress, addr("192.168.7.7")) }), nil)
	if o.Reply.Type != wire.NAK || o.Reason != boot.WrongNetwork {
		t.Errorf("%s, %s", o.Reply.Type, o.Reason)
	}
}

// TestAlwaysAnswers: whether a DISCOVER is answered is no function of secs, flags, hops, option 61 or the
// way on which it came (Q1), and neither is the address (Q5).
func TestAlwaysAnswers(t *testing.T) {
	k := newDesk(t, nil)
	want := netip.Addr{}
	for secs := range 5 {
		for _, flags := range []uint16{0, wire.FlagBroadcast, 0xffff} {
			for _, id := range [][]byte{nil, {1, 0x52, 0x54, 0, 0, 0, 1}, {0, 1, 2, 3}, bytes.Repeat([]byte{9}, 40)} {
				p := rom(clientMAC, boot.ArchX64, uint32(secs)+1)
				p.Secs, p.Flags = []uint16{0, 4, 1024, 11823, 65535}[secs], flags
				if id != nil {
					p.Set(wire.ClientID, id)
				}
				o, offer := k.hear(p, nil)
				if o.Reason != boot.Answered {
					t.Fatalf("secs %d, flags %04x, option 61 %x: %s", p.Secs, flags, id, o.Reason)
				}
				if echo, _ := offer.Get(wire.ClientID); !bytes.Equal(echo, id) {
					t.Errorf("option 61 comes back as %x, sent as %x (RFC 6842)", echo, id)
				}
				if offer.Flags != flags {
					t.Errorf("flags %04x come back as %04x", flags, offer.Flags)
				}
				if want = first(want, offer.YIAddr); offer.YIAddr != want {
					t.Errorf("secs %d, option 61 %x: %s, before %s", p.Secs, id, offer.YIAddr, want)
				}
			}
		}
	}
}

func first(a, b netip.Addr) netip.Addr {
	if a.IsValid() {
		return a
	}
	return b
}

// TestSilence: what is not answered says why.
func TestSilence(t *testing.T) {
	for name, c := range map[string]struct {
		p      func(*wire.Packet)
		h      func(*Heard)
		reason boot.Reason
	}{
		"a server's":          {p: func(p *wire.Packet) { p.Op = wire.OpReply }, reason: boot.NotRequest},
		"no address of ours":  {h: func(h *Heard) { h.Link.Addrs = nil }, reason: boot.NoOwnAddress},
		"to another host":     {h: func(h *Heard) { h.To = netip.MustParseAddrPort("10.77.0.3:67") }, reason: boot.OtherServer},
		"a scope of nobody":   {p: func(p *wire.Packet) { p.GIAddr = addr("172.16.0.1") }, reason: boot.ScopeUnknown},
		"giaddr is everyone":  {p: func(p *wire.Packet) { p.GIAddr = everyone }, reason: boot.Malformed},
		"giaddr is a group":   {p: func(p *wire.Packet) { p.GIAddr = addr("224.0.0.1") }, reason: boot.Malformed},
		"ciaddr is the net's": {p: func(p *wire.Packet) { p.CIAddr = addr("10.77.0.255") }, reason: boot.Malformed},
		"leasequery":          {p: func(p *wire.Packet) { p.SetType(10) }, reason: boot.OtherMessage},
		"an offer":            {p: func(p *wire.Packet) { p.SetType(wire.Offer) }, reason: boot.OtherMessage},
		"message 0":           {p: func(p *wire.Packet) { p.SetType(0) }, reason: boot.Malformed},
		"BOOTP":               {p: func(p *wire.Packet) { p.Del(wire.MessageTypeOption) }, reason: boot.NotDHCP},
		"nobody":              {p: func(p *wire.Packet) { p.HType, p.HLen, p.CHAddr = 32, 0, [16]byte{} }, reason: boot.NotEthernet},
		"inform from nowhere": {p: func(p *wire.Packet) { p.SetType(wire.Inform) }, reason: boot.NoAddress},
		"release of nothing":  {p: func(p *wire.Packet) { p.SetType(wire.Release); p.CIAddr = addr("10.77.0.120") }, reason: boot.UnknownLease},
	} {
		t.Run(name, func(t *testing.T) {
			p := rom(clientMAC, boot.ArchX64, 1)
			if c.p != nil {
				c.p(p)
			}
			o, reply := newDesk(t, nil).hear(p, c.h)
			if o.Reason != c.reason || reply != nil || o.Foreign {
				t.Errorf("%s, %v, foreign %t; want %s", o.Reason, reply, o.Foreign, c.reason)
			}
		})
	}
}

// TestOthersNetworks: a network that is delivered to in another way is another role's, and nothing is
// told of it here.
func TestOthersNetworks(t *testing.T) {
	p := rom(clientMAC, boot.ArchX64, 1)
	p.GIAddr = addr("10.99.0.1")
	if o, _ := newDesk(t, nil).hear(p, nil); !o.Foreign || o.Reason != boot.ScopeUnknown {
		t.Errorf("%s, foreign %t", o.Reason, o.Foreign)
	}
}

// TestPlace: the scope is chosen by 82.5, else 118, else giaddr, else ciaddr of a unicast, else by the
// interface; and the reply goes to the relay, with its option 82 at the end as it came.
func TestPlace(t *testing.T) {
	agent := func(sub ...byte) []byte { return append([]byte{1, 2, 'p', '1'}, sub...) }
	for name, c := range map[string]struct {
		p     func(*wire.Packet)
		h     func(*Heard)
		scope string
		route string
	}{
		"the interface": {scope: "lab", route: "as a frame to 52:54:00:00:00:01"},
		"giaddr":        {p: func(p *wire.Packet) { p.GIAddr = addr("10.88.0.1") }, scope: "far", route: "to the relay 10.88.0.1"},
		"118": {
			p:     func(p *wire.Packet) { p.SetAddr(wire.SubnetSelection, addr("10.88.0.0")); p.GIAddr = addr("10.77.0.9") },
			scope: "far", route: "to the relay 10.77.0.9",
		},
		"82.5": {p: func(p *wire.Packet) {
			p.GIAddr = addr("10.1.1.1")
			p.Set(wire.RelayAgentInfo, agent(5, 4, 10, 88, 0, 0))
			p.SetAddr(wire.SubnetSelection, addr("10.77.0.0"))
		}, scope: "far", route: "to the relay 10.1.1.1"},
		"82.5 without a relay is a client's": {
			p:     func(p *wire.Packet) { p.Set(wire.RelayAgentInfo, agent(5, 4, 10, 88, 0, 0)) },
			scope: "lab", route: "as a frame to 52:54:00:00:00:01",
		},
		"82.19": {
			p:     func(p *wire.Packet) { p.GIAddr = addr("10.88.0.1"); p.Set(wire.RelayAgentInfo, agent(19, 0)) },
			h:     func(h *Heard) { h.From = netip.MustParseAddrPort("10.88.0.1:3067") },
			scope: "far", route: "to the relay 10.88.0.1",
		},
		"the flag": {p: func(p *wire.Packet) { p.Flags = wire.FlagBroadcast }, scope: "lab", route: "by broadcast"},
	} {
		t.Run(name, func(t *testing.T) {
			p := rom(clientMAC, boot.ArchX64, 1)
			p.Flags = 0
			if c.p != nil {
				c.p(p)
			}
			o, offer := newDesk(t, nil).hear(p, c.h)
			if o.Reason != boot.Answered || o.Scope != c.scope || o.Route.String() != c.route {
				t.Fatalf("%s in %s, %s; want %s, %s", o.Reason, o.Scope, o.Route, c.scope, c.route)
			}
			if near := p.GIAddr.IsValid() && p.GIAddr == addr("10.77.0.9"); o.Route.Near != near {
				t.Errorf("the relay %s counts as near: %t", p.GIAddr, o.Route.Near)
			}
			if offer.GIAddr != p.GIAddr || offer.Flags != p.Flags {
				t.Errorf("giaddr %s, flags %04x", offer.GIAddr, offer.Flags)
			}
			if sent, ok := p.Get(wire.RelayAgentInfo); ok {
				last := offer.Options[len(offer.Options)-1]
				if last.Code != wire.RelayAgentInfo || !bytes.Equal(last.Data, sent) {
					t.Errorf("the last option is %s, %x; want option 82, %x", last.Code, last.Data, sent)
				}
			}
			if name == "82.19" && o.Route.Dst.Port() != 3067 {
				t.Errorf("to port %d, want the one that the relay sent from (RFC 8357)", o.Route.Dst.Port())
			}
			if o.Decision.Answer.Network != c.scope {
				t.Errorf("the boot answer is that of network %q", o.Decision.Answer.Network)
			}
		})
	}
}

// TestServerIDOverride: the relay says what the client takes for its server (RFC 5107), and takes renewals
// that the client sends it alone (RFC 5010).
func TestServerIDOverride(t *testing.T) {
	k := newDesk(t, nil)
	p := plain(clientMAC)
	p.GIAddr = addr("10.88.0.1")
	p.Set(wire.RelayAgentInfo, []byte{11, 4, 10, 88, 0, 1})
	_, offer := k.hear(p, nil)
	if id := offer.Addr(wire.ServerID); id != addr("10.88.0.1") {
		t.Fatalf("server identifier %s", id)
	}
	if _, ack := k.hear(requestOf(p, offer), nil); ack == nil || ack.Type() != wire.ACK {
		t.Fatal("no ACK to a request that names what we said")
	}
	renew := ask(p, func(p *wire.Packet) {
		p.CIAddr = offer.YIAddr
		p.Set(wire.RelayAgentInfo, []byte{11, 4, 10, 88, 0, 1, 10, 1, 0x80})
	})
	h, _ := heardOf(t, renew)
	if how, ok := stateOf(h); !ok || how != lease.Renewing {
		t.Errorf("state %v", how)
	}
}

// TestOptions: what the client asks for, in its order, and nothing else.
func TestOptions(t *testing.T) {
	k := newDesk(t, nil)
	p := plain(clientMAC)
	p.Set(wire.ParameterList, []byte{42, 6, 15, 26, 121, 3, 28, 58, 59, 200, 249, 6})
	_, offer := k.hear(p, nil)
	var got []byte
	for _, o := range offer.Options {
		got = append(got, byte(o.Code))
	}
	if want := []byte{53, 54, 51, 58, 59, 1, 42, 6, 15, 26, 121, 3, 28, 249}; !bytes.Equal(got, want) {
		t.Errorf("options %v, want %v", got, want)
	}
	number := func(c wire.Code) uint32 { b, _ := offer.Get(c); return binary.BigEndian.Uint32(b) }
	if number(51) != 3600 || number(58) != 1800 || number(59) != 3150 {
		t.Errorf("lease %d, T1 %d, T2 %d", number(51), number(58), number(59))
	}
	for code, want := range map[wire.Code][]byte{
		1: {255, 255, 255, 0}, 28: {10, 77, 0, 255}, 26: {5, 120}, 15: []byte("lab.example"),
		121: {8, 10, 10, 77, 0, 1, 0, 10, 77, 0, 1}, 6: {10, 77, 0, 5, 10, 77, 0, 6},
	} {
		if b, _ := offer.Get(code); !bytes.Equal(b, want) {
			t.Errorf("%s is %x, want %x", code, b, want)
		}
	}
}

// TestSaid: a reservation's options come before the rule's, the rule's before the scope's, and all before
// what is written for the boot.
func TestSaid(t *testing.T) {
	id := lease.Hardware(1, clientMAC[:])
	k := newDesk(t, func(cfg *Config, pools []lease.Pool) {
		pools[0].Reserved = map[lease.ID]netip.Addr{id: addr("10.77.0.20")}
		s := &cfg.Scopes[0]
		s.Options = []Option{{Code: 252, Data: []byte("scope")}, {Code: 200, Data: []byte("scope"), Always: true}, {Code: 201, Data: []byte("scope"), Always: true}, {Code: wire.TFTPServerName, Data: []byte("tftp.lab")}}
		cfg.Rules = map[string]Rule{"uefi": {RootPath: "pvs:[{servers}]:17:6910", Options: []Option{{Code: 200, Data: []byte("rule")}, {Code: 201, Data: []byte("rule")}}}}
		s.Hosts = map[lease.ID]Host{id: {Name: "pc-1", Options: []Option{{Code: 201, Data: []byte("host")}}}}
	})
	p := rom(clientMAC, boot.ArchX64, 1)
	p.Set(wire.ParameterList, []byte{1, 12, 252, 17})
	_, offer := k.hear(p, nil)
	for code, want := range map[wire.Code]string{
		252: "scope", 200: "rule", 201: "host", wire.TFTPServerName: "tftp.lab", wire.HostName: "pc-1",
		wire.RootPath: "pvs:[10.77.0.2,10.77.0.3]:17:6910",
	} {
		if got := offer.Text(code); got != want {
			t.Errorf("%s is %q, want %q", code, got, want)
		}
	}
	if offer.YIAddr != addr("10.77.0.20") {
		t.Errorf("the reserved machine is offered %s", offer.YIAddr)
	}
}

// TestSharedWire: when a subnet is full, the next one on the same wire gives an address, and a machine
// with a lease there gets that one.
func TestSharedWire(t *testing.T) {
	k := newDesk(t, func(cfg *Config, pools []lease.Pool) {
		cfg.Scopes[0].Link, cfg.Scopes[1].Link = "wire", "wire"
		pools[0].Ranges = []lease.Range{{From: addr("10.77.0.100"), To: addr("10.77.0.100")}}
	})
	a, b := plain(boot.MAC{2, 0, 0, 0, 0, 0xa}), plain(boot.MAC{2, 0, 0, 0, 0, 0xb})
	if got := k.lease1(a); got != addr("10.77.0.100") {
		t.Errorf("the first gets %s", got)
	}
	got := k.lease1(b)
	if !netip.MustParsePrefix("10.88.0.0/24").Contains(got) {
		t.Errorf("the second gets %s", got)
	}
	_, offer := k.hear(b, nil)
	if mask := offer.Addr(wire.Router); offer.YIAddr != got || mask != addr("10.88.0.1") {
		t.Errorf("again %s by %s, first %s", offer.YIAddr, mask, got)
	}
}

// TestInform: everything but an address (RFC 2131 section 4.3.5).
func TestInform(t *testing.T) {
	p := plain(clientMAC)
	p.SetType(wire.Inform)
	p.CIAddr = addr("10.77.0.77")
	o, ack := newDesk(t, nil).hear(p, unicast)
	if ack.Type() != wire.ACK || ack.YIAddr.IsValid() || ack.CIAddr != p.CIAddr || o.Grant.Keep || o.Route.Dst.Addr() != p.CIAddr {
		t.Errorf("%s by %s", ack.Summary(nil), o.Route)
	}
	if _, has := ack.Get(wire.LeaseTime); has {
		t.Error("an ACK to INFORM with a lease")
	}
	if ack.Addr(wire.Router) != addr("10.77.0.1") {
		t.Error("no router")
	}
}

// TestReleaseAndDecline: a released address is given again, a declined one is not.
func TestReleaseAndDecline(t *testing.T) {
	k := newDesk(t, func(_ *Config, pools []lease.Pool) {
		pools[0].Ranges = []lease.Range{{From: addr("10.77.0.100"), To: addr("10.77.0.100")}}
	})
	a, b := plain(boot.MAC{2, 0, 0, 0, 0, 0xa}), plain(boot.MAC{2, 0, 0, 0, 0, 0xb})
	at := k.lease1(a)
	if o, _ := k.hear(b, nil); o.Reason != boot.NoFreeAddress {
		t.Fatalf("two machines, one address: %s", o.Reason)
	}
	release := ask(a, func(p *wire.Packet) {
		p.SetType(wire.Release)
		p.CIAddr = at
		p.SetAddr(wire.ServerID, addr("10.77.0.2"))
	})
	if o, reply := k.hear(release, unicast); o.Reason != boot.Answered || reply != nil || o.Ended.State != lease.Released {
		t.Fatalf("%s, %v, %s", o.Reason, reply, o.Ended.State)
	}
	k.now = k.now.Add(10 * time.Minute) // the address rests a while
	if got := k.lease1(b); got != at {
		t.Fatalf("%s after the release of %s", got, at)
	}
	decline := ask(b, func(p *wire.Packet) {
		p.SetType(wire.Decline)
		p.SetAddr(wire.RequestedAddress, at)
		p.SetAddr(wire.ServerID, addr("10.77.0.2"))
	})
	if o, reply := k.hear(decline, nil); o.Reason != boot.Answered || reply != nil || o.Ended.State != lease.Declined {
		t.Fatalf("%s, %v, %s", o.Reason, reply, o.Ended.State)
	}
	if o, _ := k.hear(b, nil); o.Reason != boot.NoFreeAddress {
		t.Errorf("a declined address is offered: %s", o.Reason)
	}
}

// TestBOOTP: a machine that knows no DHCP is answered where the scope says so.
func TestBOOTP(t *testing.T) {
	id := lease.Hardware(1, clientMAC[:])
	k := newDesk(t, func(cfg *Config, pools []lease.Pool) {
		cfg.Scopes[0].BOOTP = true
		pools[0].Reserved = map[lease.ID]netip.Addr{id: addr("10.77.0.20")}
	})
	p := &wire.Packet{Op: wire.OpRequest, XID: 9}
	p.SetMAC(clientMAC)
	o, reply := k.hear(p, nil)
	if o.Reason != boot.Answered || reply == nil || reply.YIAddr != addr("10.77.0.20") || reply.Type() != 0 {
		t.Fatalf("%s: %v", o.Reason, reply)
	}
	if _, has := reply.Get(wire.LeaseTime); has {
		t.Error("a BOOTP reply with a lease time")
	}
}
