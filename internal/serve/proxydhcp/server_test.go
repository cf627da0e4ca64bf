package proxydhcp

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/bind"
	"surefoot/internal/kernel/link"
	"surefoot/internal/testkit/dhcpwire"
	"surefoot/internal/testkit/netns"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

func isOffer(_ frame.Datagram, p *dhcp4.Packet) bool { return p.Type() == dhcp4.Offer }

// TestBesideDNSmasq: dnsmasq holds port 67 in the same namespace and hands out the address; the
// role adds its offer, and nothing for a machine that does not boot from the network.
func TestBesideDNSmasq(t *testing.T) {
	c := newCable(t)
	c.dnsmasq(t)
	events := c.start(t, site(nil))
	conn := c.Conn(t, dhcp4.ClientPort)

	plain := c.capture(t, "dhclient", 0, 0x11111111)
	c.Broadcast(t, conn, plain)
	_, p := dhcpwire.Await(t, conn, isOffer)
	if p.XID != plain.XID || !p.YIAddr.IsValid() {
		t.Fatalf("not dnsmasq's offer:\n%s", p.Summary(nil))
	}
	if ev := dhcpwire.WaitFor(t, events, boot.Ignored); ev.Reason != boot.NotPXE || ev.MAC != c.MAC {
		t.Errorf("event %+v, want %s", ev, boot.NotPXE)
	}

	pxe := c.capture(t, "ovmf-pxe4-proxy1", 0, 0x22222222)
	c.Broadcast(t, conn, pxe)
	var proxy, address *dhcp4.Packet
	for proxy == nil || address == nil {
		_, p := dhcpwire.Await(t, conn, isOffer)
		switch {
		case p.XID != pxe.XID:
			t.Fatalf("an answer to the plain client, later:\n%s", p.Summary(nil))
		case p.YIAddr.IsValid():
			address = p
		default:
			proxy = p
		}
	}
	if got := proxy.Text(dhcp4.VendorClass); got != "PXEClient" || proxy.SIAddr.String() != "10.77.0.2" {
		t.Errorf("our offer:\n%s", proxy.Summary(nil))
	}
	if ev := dhcpwire.WaitFor(t, events, boot.OfferSent); ev.Reason != boot.Answered || ev.Server != "boot1" || ev.Network != "lab" || ev.Rule != "uefi" || ev.If != "eth0" {
		t.Errorf("event %+v", ev)
	}

	request := c.capture(t, "ovmf-pxe4-proxy1", 1, 0x22222222)
	request.SetAddr(dhcp4.ServerID, address.Addr(dhcp4.ServerID))
	request.SetAddr(dhcp4.RequestedAddress, address.YIAddr)
	c.Broadcast(t, conn, request)
	_, ack := dhcpwire.Await(t, conn, func(_ frame.Datagram, p *dhcp4.Packet) bool { return p.XID == request.XID })
	if ack.Type() != dhcp4.ACK || ack.YIAddr != address.YIAddr {
		t.Errorf("want dnsmasq's ACK only, got\n%s", ack.Summary(nil))
	}
	ev := dhcpwire.WaitFor(t, events, boot.RequestSeen)
	if ev.IP != address.YIAddr || ev.MAC != c.MAC || ev.Reason != boot.OtherMessage {
		t.Errorf("event %+v, want the address that the client took", ev)
	}
}

// TestOfferAddresses: the broadcast flag decides between a frame to everyone and one to the
// client; the IP destination is everyone either way, since the client has no address.
func TestOfferAddresses(t *testing.T) {
	c := newCable(t)
	c.start(t, site(nil))
	conn := c.Conn(t, dhcp4.ClientPort)
	for _, flags := range []uint16{0, dhcp4.FlagBroadcast} {
		p := c.capture(t, "bios-ipxe-proxy1", 0, 0x33330000|uint32(flags))
		p.Flags = flags
		c.Broadcast(t, conn, p)
		d, reply := dhcpwire.Await(t, conn, isOffer)
		want := c.MAC
		if flags != 0 {
			want = frame.Broadcast
		}
		if d.DstMAC != want || d.Dst.String() != "255.255.255.255:68" || d.Src.String() != "10.77.0.2:67" {
			t.Errorf("flags %04x: to %s %s from %s", flags, d.DstMAC, d.Dst, d.Src)
		}
		if reply.XID != p.XID || reply.Flags != flags || reply.YIAddr.IsValid() {
			t.Errorf("flags %04x: reply\n%s", flags, reply.Summary(nil))
		}
	}
	c.Server.Do(t, func() error { // the way to the client is never learnt
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		n, err := netlink.NeighList(l.Attrs().Index, netlink.FAMILY_V4)
		if len(n) > 0 {
			t.Errorf("entries in the ARP table: %v", n)
		}
		return err
	})
}

// TestRelay: a relay agent is answered at giaddr, port 67, with its option 82 as it was, and with
// the broadcast flag, since there is no yiaddr that it could send to.
func TestRelay(t *testing.T) {
	c := newCable(t)
	c.start(t, site(nil))
	var relay *net.UDPConn
	c.Client.Do(t, func() (err error) {
		if err = netns.AddAddr("eth0", "10.77.0.1/24"); err == nil {
			relay, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 77, 0, 1), Port: 67})
		}
		return err
	})
	defer relay.Close()
	p := c.capture(t, "ovmf-pxe4-proxy1", 0, 0x44444444)
	p.GIAddr, p.Hops, p.Flags = netip.MustParseAddr("10.77.0.1"), 1, 0
	p.Set(dhcp4.RelayAgentInfo, []byte{1, 4, 'e', 't', 'h', '1'})
	b, err := p.Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := relay.WriteToUDPAddrPort(b, netip.MustParseAddrPort("10.77.0.2:67")); err != nil {
		t.Fatal(err)
	}
	reply, from := receive(t, relay)
	if from.String() != "10.77.0.2:67" {
		t.Errorf("the reply comes from %s", from)
	}
	last := reply.Options[len(reply.Options)-1]
	if reply.GIAddr != p.GIAddr || reply.Hops != 1 || !reply.Broadcast() || last.Code != dhcp4.RelayAgentInfo || string(last.Data) != "\x01\x04eth1" {
		t.Errorf("reply\n%s", reply.Summary(nil))
	}
}

// TestBootPort: a request on port 4011 is answered from the address that was asked, to the port
// that it came from.
func TestBootPort(t *testing.T) {
	c := newCable(t)
	c.Server.Do(t, func() error { return netns.AddAddr("eth0", "10.77.0.4/24") })
	events := c.start(t, site(nil))
	c.Client.Do(t, func() error { return netns.AddAddr("eth0", "10.77.0.100/24") })
	for name, at := range map[string]struct {
		asked, from string
		index       int
		capture     string
	}{
		"edk2":           {"10.77.0.2:4011", "10.77.0.100:4011", 2, "ovmf-pxe4-proxy1"},
		"second address": {"10.77.0.4:4011", "10.77.0.100:4011", 2, "ovmf-pxe4-proxy1"},
		"ipxe":           {"10.77.0.2:4011", "10.77.0.100:68", 2, "bios-ipxe-proxy1"},
		"any port":       {"10.77.0.4:4011", "10.77.0.100:0", 2, "bios-ipxe-proxy1"},
	} {
		t.Run(name, func(t *testing.T) {
			var conn *net.UDPConn
			c.Client.Do(t, func() (err error) {
				conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(at.from)))
				return err
			})
			defer conn.Close()
			p := c.capture(t, at.capture, at.index, 0)
			b, err := p.Encode(0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.WriteToUDPAddrPort(b, netip.MustParseAddrPort(at.asked)); err != nil {
				t.Fatal(err)
			}
			reply, from := receive(t, conn)
			asked := netip.MustParseAddrPort(at.asked)
			if from != asked || reply.Addr(dhcp4.ServerID) != asked.Addr() {
				t.Errorf("asked %s, answered from %s with server-id %s", asked, from, reply.Addr(dhcp4.ServerID))
			}
			if reply.Type() != dhcp4.ACK || reply.File == "" || reply.XID != 0 {
				t.Errorf("reply\n%s", reply.Summary(nil))
			}
			ev := dhcpwire.WaitFor(t, events, boot.BootReplySent)
			if ev.IP.String() != "10.77.0.100" || ev.Local != at.asked || ev.Reason != boot.Answered {
				t.Errorf("event %+v", ev)
			}
		})
	}
}

func receive(t *testing.T, c *net.UDPConn) (*dhcp4.Packet, netip.AddrPort) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2048)
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		t.Fatal(err)
	}
	p, err := dhcp4.Decode(b[:n])
	if err != nil {
		t.Fatal(err)
	}
	return p, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

// TestLinkDown: a link that is down when the role starts, and comes up later, is served.
func TestLinkDown(t *testing.T) {
	c := newCable(t)
	c.Server.Do(t, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(l)
	})
	c.start(t, site(nil))
	c.Server.Do(t, func() error { return netns.SetUp("eth0") })
	conn := c.Conn(t, dhcp4.ClientPort)
	got := make(chan struct{})
	go func() {
		defer close(got)
		dhcpwire.Await(t, conn, isOffer)
	}()
	for i := uint32(0); ; i++ { // the socket of a link that just came up may miss the first
		c.Broadcast(t, conn, c.capture(t, "ovmf-pxe4-proxy1", 0, i))
		select {
		case <-got:
			return
		case <-time.After(200 * time.Millisecond):
		}
		if i == 20 {
			t.Fatal("no offer over a link that came up")
		}
	}
}

// TestApply: the next packet is answered by the new site.
func TestApply(t *testing.T) {
	s, p, net := wired(t, site(nil), Deps{})
	h := clientPackets(t, "testdata/captures/ovmf-pxe4-proxy1.pcap")[2]
	b, err := h.Packet.Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	at := packet{data: b, from: h.From, to: h.To}
	s.onBootPort(p, at)
	s.Apply(site(func(s *boot.Site) { s.Networks[0].Deliver = boot.DeliverNone }))
	s.onBootPort(p, at)
	if net.sent != 1 {
		t.Errorf("%d replies, want one before the new site and none after", net.sent)
	}
}

// TestListenErrors: what is missing is named, with its remedy, and no socket stays open.
func TestListenErrors(t *testing.T) {
	c := newCable(t)
	c.Server.Do(t, func() error {
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "bare0"}, PeerName: "bare1"}); err != nil {
			return err
		}
		return netns.SetUp("bare0")
	})
	listen := func(names ...string) error {
		s, err := New(Config{Node: "boot1", Site: site(nil), Interfaces: names}, Deps{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return c.Server.Try(func() error { return s.Listen(t.Context()) })
	}
	var missing *link.MissingError
	if err := listen("eth0", "eth9"); !errors.As(err, &missing) || missing.Name != "eth9" {
		t.Errorf("a missing interface: %v", err)
	}
	if err := listen("eth0", "bare0"); err != nil {
		t.Errorf("an interface whose address is still to come: %v", err)
	}
	if err := listen("lo"); err == nil || !strings.Contains(err.Error(), "not an Ethernet") {
		t.Errorf("the loopback interface: %v", err)
	}
	var held *net.UDPConn
	c.Server.Do(t, func() (err error) { // fails if one of the attempts above left its socket open
		held, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 4011})
		return err
	})
	defer held.Close()
	var taken *bind.Error
	if err := listen("eth0"); !errors.As(err, &taken) || !errors.Is(err, unix.EADDRINUSE) || taken.At.Port() != 4011 {
		t.Errorf("port 4011 taken: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{Interfaces: []string{"eth0"}}, Deps{}); err == nil {
		t.Error("no site is accepted")
	}
	if _, err := New(Config{Site: site(nil)}, Deps{}); err == nil {
		t.Error("no interface is accepted")
	}
}
