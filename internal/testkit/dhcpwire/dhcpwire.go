// Package dhcpwire gives tests a wire with a server at one end and, at the other, a client that speaks DHCPv4 as
// firmware without an address does.
package dhcpwire

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/testkit/netns"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// Cable is two namespaces with a cable between: eth0 of the server, eth0 of the client.
type Cable struct {
	Server, Client *netns.Space
	MAC            boot.MAC // of the client's interface
}

// New makes a cable whose server has the address 10.77.0.2/24.
func New(t *testing.T) *Cable {
	t.Helper()
	c := &Cable{Server: netns.New(t), Client: netns.New(t)}
	c.Plug(t)
	c.Server.Do(t, func() error { return netns.AddAddr("eth0", "10.77.0.2/24") })
	return c
}

// Plug makes the cable anew; the server's end has no address then.
func (c *Cable) Plug(t *testing.T) {
	t.Helper()
	netns.Join(t, c.Server, "eth0", c.Client, "eth0")
	c.Client.Do(t, func() error {
		l, err := link.ByName("eth0")
		c.MAC = l.MAC
		return err
	})
}

// Conn opens the client's raw socket, which sees every frame to a port.
func (c *Cable) Conn(t *testing.T, port uint16) *rawsock.PacketConn {
	t.Helper()
	var conn *rawsock.PacketConn
	c.Client.Do(t, func() error {
		l, err := link.ByName("eth0")
		if err != nil {
			return err
		}
		conn, err = rawsock.ListenPacket("eth0", l.Index, l.MAC, port)
		return err
	})
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Broadcast sends a packet of the client as firmware without an address does.
func (c *Cable) Broadcast(t *testing.T, conn *rawsock.PacketConn, p *dhcp4.Packet) {
	t.Helper()
	b, err := p.Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Write(frame.Datagram{
		SrcMAC: c.MAC, DstMAC: frame.Broadcast, Payload: b,
		Src: netip.MustParseAddrPort("0.0.0.0:68"), Dst: netip.MustParseAddrPort("255.255.255.255:67"),
	}.Frame())
	if err != nil {
		t.Fatal(err)
	}
}

// Await reads frames until one is wanted.
func Await(t *testing.T, conn *rawsock.PacketConn, want func(frame.Datagram, *dhcp4.Packet) bool) (frame.Datagram, *dhcp4.Packet) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		b := make([]byte, rawsock.MaxFrame)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		d, err := frame.Parse(b[:n])
		if err != nil {
			t.Fatal(err)
		}
		p, err := dhcp4.Decode(d.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if want(d, p) {
			return d, p
		}
	}
}

// WaitFor takes events until one has the kind.
func WaitFor(t *testing.T, events chan boot.Event, kind boot.Kind) boot.Event {
	t.Helper()
	for {
		select {
		case ev := <-events:
			if ev.Kind == kind {
				return ev
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("no event %q", kind)
		}
	}
}
