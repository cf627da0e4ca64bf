package dhcp4

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
)

// TestServerIDIsRepeated: a relay sends to two addresses of this node. The ACK names the one that the client
// chose, on whichever way the REQUEST came.
func TestServerIDIsRepeated(t *testing.T) {
	k := newDesk(t, nil)
	to := func(a string) func(*Heard) {
		return func(h *Heard) {
			h.Link.Addrs = append(h.Link.Addrs, netip.MustParsePrefix("10.77.0.200/24"))
			h.From, h.To = netip.MustParseAddrPort("10.88.0.1:67"), netip.AddrPortFrom(addr(a), 67)
		}
	}
	p := plain(clientMAC)
	p.GIAddr = addr("10.88.0.1")
	_, offer := k.hear(p, to("10.77.0.2"))
	for _, way := range []string{"10.77.0.2", "10.77.0.200"} {
		o, ack := k.hear(requestOf(p, offer), to(way))
		if o.Reason != boot.Answered || ack.Addr(wire.ServerID) != addr("10.77.0.2") {
			t.Errorf("by %s: %s from %s", way, o.Reason, o.Reply.ServerID)
		}
	}
}

// TestSecondSubnetOfTheWire: an interface with addresses in two subnets is one wire (RFC 2131 section 4.3.1 speaks
// of the client's network, not of the interface's first address). A lease of the second subnet is prolonged there,
// and not called wrong.
func TestSecondSubnetOfTheWire(t *testing.T) {
	k := newDesk(t, nil)
	both := func(h *Heard) { h.Link.Addrs = append(h.Link.Addrs, netip.MustParsePrefix("10.88.0.2/24")) }
	p := plain(clientMAC)
	p.GIAddr = addr("10.88.0.1")
	at := k.lease1(p)
	p.GIAddr = netip.Addr{}
	o, ack := k.hear(ask(p, func(p *wire.Packet) { p.CIAddr = at }), both)
	if o.Reason != boot.Answered || ack.YIAddr != at || ack.Addr(wire.ServerID) != addr("10.88.0.2") {
		t.Errorf("rebinding: %s, %s from %s", o.Reason, o.Reply.Type, o.Reply.ServerID)
	}
	if o, offer := k.hear(p, both); o.Reason != boot.Answered || offer.YIAddr != at {
		t.Errorf("discover: %s %s, has %s", o.Reason, o.Reply.YIAddr, at)
	}
}

// TestReservationOfAnotherSubnet: on a wire of two subnets a reservation comes before a lease that the machine
// had before.
func TestReservationOfAnotherSubnet(t *testing.T) {
	id := lease.Hardware(1, clientMAC[:])
	k := newDesk(t, func(cfg *Config, pools []lease.Pool) {
		cfg.Scopes[0].Link, cfg.Scopes[1].Link = "wire", "wire"
	})
	p := plain(clientMAC)
	k.lease1(p)
	cfg, pools := testConfig(), testPools()
	cfg.Scopes[0].Link, cfg.Scopes[1].Link = "wire", "wire"
	cfg.Scopes[1].Hosts = map[lease.ID]Host{id: {}}
	pools[1].Reserved = map[lease.ID]netip.Addr{id: addr("10.88.0.20")}
	if err := k.book.Configure(pools); err != nil {
		t.Fatal(err)
	}
	d, err := NewDecider(cfg, k.book, nil)
	if err != nil {
		t.Fatal(err)
	}
	k.d = d
	if o, _ := k.hear(p, nil); o.Reply.YIAddr != addr("10.88.0.20") {
		t.Errorf("offered %s, reserved is 10.88.0.20", o.Reply.YIAddr)
	}
}

// TestReservedByMAC: where leases belong to option 61, a reservation counts all the same.
func TestReservedByMAC(t *testing.T) {
	id := lease.Hardware(1, clientMAC[:])
	k := newDesk(t, func(cfg *Config, pools []lease.Pool) {
		cfg.Scopes[0].ByClientID, cfg.Scopes[0].Hosts = true, map[lease.ID]Host{id: {}}
		pools[0].ByClientID, pools[0].Reserved = true, map[lease.ID]netip.Addr{id: addr("10.77.0.20")}
	})
	p := plain(clientMAC)
	p.Set(wire.ClientID, []byte{255, 1, 2, 3, 4, 0, 2})
	if o, _ := k.hear(p, nil); o.Reply.YIAddr != addr("10.77.0.20") {
		t.Errorf("offered %s, reserved is 10.77.0.20", o.Reply.YIAddr)
	}
}

// TestReleaseOfSomebodyElse: a lease ends at the word of who has it, and a relay may pass that on; not of a
// packet that only names its machine.
func TestReleaseOfSomebodyElse(t *testing.T) {
	k := newDesk(t, nil)
	p := plain(clientMAC)
	at := k.lease1(p)
	release := ask(p, func(p *wire.Packet) {
		p.SetType(wire.Release)
		p.CIAddr = at
		p.SetAddr(wire.RequestedAddress, addr("10.88.0.9")) // which a RELEASE must not have, and which does not count
	})
	from := func(a string) func(*Heard) {
		return func(h *Heard) { unicast(h); h.From = netip.AddrPortFrom(addr(a), 68) }
	}
	for _, a := range []string{"10.77.0.99", "0.0.0.0", "192.0.2.1"} {
		if o, _ := k.hear(release, from(a)); o.Reason != boot.UnknownLease || o.Ended.Addr.IsValid() {
			t.Errorf("from %s: %s", a, o.Reason)
		}
	}
	if o, _ := k.hear(release, from(at.String())); o.Reason != boot.Answered || o.Ended.State != lease.Released {
		t.Errorf("from itself: %s", o.Reason)
	}
}

// TestInformOfAnywhere: the answer to an INFORM goes to the address in it, which must be of a network of ours.
func TestInformOfAnywhere(t *testing.T) {
	p := plain(clientMAC)
	p.SetType(wire.Inform)
	p.CIAddr = addr("192.0.2.7")
	if o, reply := newDesk(t, nil).hear(p, nil); o.Reason != boot.WrongNetwork || reply != nil {
		t.Errorf("%s, answered %s", o.Reason, o.Route)
	}
}

// TestInformByRelay: the relay gets the answer, also where the client names no address.
func TestInformByRelay(t *testing.T) {
	p := plain(clientMAC)
	p.SetType(wire.Inform)
	p.GIAddr = addr("10.88.0.1")
	if o, reply := newDesk(t, nil).hear(p, nil); o.Reason != boot.Answered || reply.Type() != wire.ACK || o.Route.Dst.Addr() != p.GIAddr {
		t.Errorf("%s, answered %s", o.Reason, o.Route)
	}
}

// TestLastSeconds: T1 and T2 are told where they make sense: T1 < T2 < the lease, and none of them now
// (RFC 2131 section 4.4.5).
func TestLastSeconds(t *testing.T) {
	k := newDesk(t, func(_ *Config, pools []lease.Pool) { pools[0].Lease, pools[0].MinLease = 10*time.Second, time.Second })
	for seconds, told := range map[uint32]bool{1: false, 2: false, 3: true, 8: true} {
		p := plain(boot.MAC{2, 0, 0, 0, 0, byte(seconds)})
		p.Set(wire.ParameterList, []byte{1, 58, 59})
		p.Set(wire.LeaseTime, []byte{0, 0, 0, byte(seconds)})
		_, offer := k.hear(p, nil)
		_, t1 := offer.Get(wire.RenewalTime)
		_, t2 := offer.Get(wire.RebindingTime)
		if b, _ := offer.Get(wire.LeaseTime); b[3] != byte(seconds) || t1 != told || t2 != told {
			t.Errorf("a lease of %d s: option 51 %v, T1 %t, T2 %t", seconds, b, t1, t2)
		}
	}
}

// TestDefaultRoute: routes as the site file writes them get the default route that option 3 is not asked for
// any more (RFC 3442); one that is there stays the only one.
func TestDefaultRoute(t *testing.T) {
	for value, want := range map[string][]byte{
		"10.0.0.0/8 via 10.77.0.9":                         {8, 10, 10, 77, 0, 9, 0, 10, 77, 0, 1},
		"10.0.0.0/8 via 10.77.0.9, default via 10.77.0.10": {8, 10, 10, 77, 0, 9, 0, 10, 77, 0, 10},
	} {
		data, err := wire.ParseValue(wire.ClasslessRoutes, value)
		if err != nil {
			t.Fatal(err)
		}
		k := newDesk(t, func(cfg *Config, _ []lease.Pool) {
			cfg.Scopes[0].Options = []Option{{Code: wire.ClasslessRoutes, Data: data}}
		})
		_, offer := k.hear(plain(clientMAC), nil)
		if got, _ := offer.Get(wire.ClasslessRoutes); !bytes.Equal(got, want) {
			t.Errorf("%s: %v, want %v", value, got, want)
		}
	}
}

// half sends one packet of each batch.
type half struct{}

func (half) WriteBatch(*rawsock.Sender, [][]byte) (int, error) { return 1, nil }

// TestLostAnswersAreCounted: each of them.
func TestLostAnswersAreCounted(t *testing.T) {
	lost := 0
	s, p, _ := wired(t, testConfig(), testBook(t, nil), &memory{}, func(ev boot.Event) {
		if ev.Reason == boot.SendFailed {
			lost++
		}
	})
	p.frames = half{}
	w := s.newWorker(p)
	w.renew()
	for i := range 4 {
		w.frame(framed(t, plain(machine(i))))
	}
	if w.flush(); lost != 3 {
		t.Errorf("%d events, want 3", lost)
	}
}

// TestOwnAddressIsNotGiven: neither that of the interface nor one that it got later.
func TestOwnAddressIsNotGiven(t *testing.T) {
	k := newDesk(t, func(_ *Config, pools []lease.Pool) {
		pools[0].Ranges = []lease.Range{{From: addr("10.77.0.1"), To: addr("10.77.0.3")}}
	})
	more := func(h *Heard) { h.Link.Addrs = append(h.Link.Addrs, netip.MustParsePrefix("10.77.0.3/24")) }
	if o, _ := k.hear(plain(clientMAC), more); o.Reply.YIAddr != addr("10.77.0.1") {
		t.Errorf("offered %s, %s", o.Reply.YIAddr, o.Reason)
	}
	if o, _ := k.hear(plain(machine(2)), more); o.Reason != boot.NoFreeAddress {
		t.Errorf("offered %s, %s", o.Reply.YIAddr, o.Reason)
	}
}

// TestMachinesWithoutMAC: those whose hardware address is all zeros are told apart by option 61, or not at all.
func TestMachinesWithoutMAC(t *testing.T) {
	k := newDesk(t, nil)
	var got []netip.Addr
	for _, id := range []string{"\x00one", "\x00two"} {
		p := plain(boot.MAC{})
		p.HType, p.HLen = wire.HTypeEthernet, 6
		p.Set(wire.ClientID, []byte(id))
		o, _ := k.hear(p, nil)
		got = append(got, o.Reply.YIAddr)
	}
	if !got[0].IsValid() || got[0] == got[1] {
		t.Errorf("two machines are offered %s and %s", got[0], got[1])
	}
	p := plain(boot.MAC{})
	p.HType, p.HLen = wire.HTypeEthernet, 6
	if o, _ := k.hear(p, nil); o.Reason != boot.NotEthernet {
		t.Errorf("without option 61: %s", o.Reason)
	}
	p.Set(wire.ClientID, nil)
	if o, _ := k.hear(p, nil); o.Reason != boot.NotEthernet {
		t.Errorf("with an empty one: %s", o.Reason)
	}
}
