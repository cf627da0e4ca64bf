package proxydhcp

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/testkit/dhcpwire"
	"surefoot/internal/testkit/netns"
	"surefoot/internal/wire/dhcp4"
)

// asks sends DISCOVERs until the node does with one what is wanted, and returns that event.
func (c cable) asks(t *testing.T, conn *rawsock.PacketConn, events chan boot.Event, wanted func(boot.Event) bool) boot.Event {
	t.Helper()
	again := time.NewTicker(300 * time.Millisecond) // slower than a machine may ask
	defer again.Stop()
	for end := time.After(8 * time.Second); ; {
		select {
		case <-again.C:
			c.Broadcast(t, conn, c.capture(t, "ovmf-pxe4-proxy1", 0, 0x55550000))
		case ev := <-events:
			if wanted(ev) {
				return ev
			}
		case <-end:
			t.Fatal("it never came to that")
		}
	}
}

func offered(ev boot.Event) bool { return ev.Kind == boot.OfferSent && ev.Reason == boot.Answered }

func nameless(ev boot.Event) bool {
	return ev.Kind == boot.Ignored && ev.Reason == boot.NoOwnAddress
}

// offerFrom reads offers until one comes from this address, in header and option 54.
func offerFrom(t *testing.T, conn *rawsock.PacketConn, from string) {
	t.Helper()
	for {
		d, p := dhcpwire.Await(t, conn, isOffer)
		if got := p.Addr(dhcp4.ServerID); got != d.Src.Addr() {
			t.Fatalf("an offer from %s that names %s", d.Src, got)
		}
		if d.Src.String() == from {
			return
		}
	}
}

// TestAddressMoves: an address that comes after the start, goes, and comes back as another one
// is followed, and between them nobody is sent anywhere.
func TestAddressMoves(t *testing.T) {
	c := newCable(t)
	c.Server.Do(t, func() error { return netns.DelAddr("eth0", "10.77.0.2/24") })
	events := c.start(t, site(nil))
	conn := c.Conn(t, dhcp4.ClientPort)
	if ev := c.asks(t, conn, events, nameless); ev.MAC != c.MAC || ev.If != "eth0" {
		t.Errorf("event %+v", ev)
	}
	for _, at := range []string{"10.77.0.2", "10.77.0.66"} {
		c.Server.Do(t, func() error { return netns.AddAddr("eth0", at+"/24") })
		c.asks(t, conn, events, offered)
		offerFrom(t, conn, at+":67")
		c.Server.Do(t, func() error { return netns.DelAddr("eth0", at+"/24") })
		c.asks(t, conn, events, nameless)
	}
}

// TestInterfaceComesBack: without its interface the role runs on, and serves it on both ports
// when another one of that name is there.
func TestInterfaceComesBack(t *testing.T) {
	c := newCable(t)
	events := c.start(t, site(nil))
	c.Server.Do(t, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	})
	c.Plug(t)
	c.Server.Do(t, func() error { return netns.AddAddr("eth0", "10.77.0.3/24") })
	conn := c.Conn(t, dhcp4.ClientPort)
	c.asks(t, conn, events, offered)
	offerFrom(t, conn, "10.77.0.3:67")

	var boots *net.UDPConn
	c.Client.Do(t, func() error {
		err := netns.AddAddr("eth0", "10.77.0.100/24")
		if err != nil {
			return err
		}
		boots, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 77, 0, 100), Port: int(dhcp4.PXEPort)})
		return err
	})
	defer boots.Close()
	b, err := c.capture(t, "ovmf-pxe4-proxy1", 2, 0x66660000).Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	asked := netip.MustParseAddrPort("10.77.0.3:4011")
	if _, err := boots.WriteToUDPAddrPort(b, asked); err != nil {
		t.Fatal(err)
	}
	if reply, from := receive(t, boots); from != asked || reply.Type() != dhcp4.ACK {
		t.Errorf("from %s:\n%s", from, reply.Summary(nil))
	}
}

// TestLookKeepsWhatItKnows: what is gone is served by nobody, and the sockets stay.
func TestLookKeepsWhatItKnows(t *testing.T) {
	c := newCable(t)
	s, err := New(Config{Node: "boot1", Site: site(nil), Interfaces: []string{"eth0"}}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	c.Server.Do(t, func() error { return s.Listen(t.Context()) })
	defer s.Close()
	p := s.ports[0]
	if why := p.iface.Look(s.links); why != "" || len(p.at().Addrs) != 1 {
		t.Errorf("at first: %q, %v", why, p.at())
	}
	c.Server.Do(t, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return errors.Join(netlink.LinkSetDown(l), netlink.LinkSetName(l, "eth5"))
	})
	if why := p.iface.Look(s.links); why != "it is gone" || len(p.at().Addrs) != 0 {
		t.Errorf("under another name: %q, %v", why, p.at())
	}
	c.Server.Do(t, func() error {
		l, err := netlink.LinkByName("eth5")
		if err != nil {
			return err
		}
		return netlink.LinkSetName(l, "eth0")
	})
	if why := p.iface.Look(s.links); why != "" || len(p.at().Addrs) != 1 {
		t.Errorf("after all: %q, %v", why, p.at())
	}
}
