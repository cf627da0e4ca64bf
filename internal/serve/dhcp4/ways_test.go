package dhcp4

import (
	"net/netip"
	"testing"

	"surefoot/internal/boot"
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
