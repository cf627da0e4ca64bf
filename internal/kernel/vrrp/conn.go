package vrrp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Via is how advertisements travel.
type Via struct {
	If    string
	Index int
	From  netip.Addr // an address of the interface
	Group netip.Addr // to be listened to; not valid: peers are addressed one by one
}

// Packet is what came, with what its IP header says.
type Packet struct {
	Data     []byte // good until the next Read
	Src, Dst netip.Addr
	TTL      int // hop limit, of IPv6
}

// Conn reads and writes IP packets of protocol 112 on one interface.
type Conn struct {
	via Via
	pc  net.PacketConn
	v4  *ipv4.PacketConn
	v6  *ipv6.PacketConn
	buf [2048]byte
}

const protocol = "112"

// Open opens a socket. A missing capability is a *PermissionError.
func Open(ctx context.Context, via Via) (*Conn, error) {
	doing := "open a VRRP socket on " + via.If
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		var err error
		ctl := rc.Control(func(fd uintptr) {
			if err = os.NewSyscallError("bind to the device", unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, via.If)); err != nil {
				return
			}
			// Before everything else that is in the queue (RFC 9568 leaves it open; keepalived does the same).
			if via.From.Is4() {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, 0xc0)
			} else {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_TCLASS, 0xc0)
			}
		})
		if ctl != nil {
			return ctl
		}
		return err
	}}
	network, any := "ip4:"+protocol, "0.0.0.0"
	if via.From.Is6() {
		network, any = "ip6:"+protocol, "::"
	}
	pc, err := lc.ListenPacket(ctx, network, any)
	if err != nil {
		return nil, explain(doing, "CAP_NET_RAW", err)
	}
	c := &Conn{via: via, pc: pc}
	if err := c.prepare(); err != nil {
		_ = pc.Close()
		return nil, explain(doing, "CAP_NET_RAW", err)
	}
	return c, nil
}

// prepare sets 255 for what is sent, and asks for the header of what comes.
func (c *Conn) prepare() error {
	ifi := &net.Interface{Index: c.via.Index, Name: c.via.If}
	var steps []func() error
	if c.via.From.Is4() {
		p := ipv4.NewPacketConn(c.pc)
		c.v4 = p
		steps = []func() error{
			func() error { return p.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst|ipv4.FlagSrc, true) },
			func() error { return p.SetTTL(255) }, func() error { return p.SetMulticastTTL(255) },
			func() error { return p.SetMulticastLoopback(false) }, func() error { return p.SetMulticastInterface(ifi) },
		}
		if c.via.Group.IsValid() {
			steps = append(steps, func() error { return p.JoinGroup(ifi, &net.IPAddr{IP: c.via.Group.AsSlice()}) })
		}
	} else {
		p := ipv6.NewPacketConn(c.pc)
		c.v6 = p
		steps = []func() error{
			func() error { return p.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst|ipv6.FlagSrc, true) },
			func() error { return p.SetHopLimit(255) }, func() error { return p.SetMulticastHopLimit(255) },
			func() error { return p.SetMulticastLoopback(false) }, func() error { return p.SetMulticastInterface(ifi) },
		}
		if c.via.Group.IsValid() {
			steps = append(steps, func() error { return p.JoinGroup(ifi, &net.IPAddr{IP: c.via.Group.AsSlice()}) })
		}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// Read waits for a packet. It fails once the socket is closed.
func (c *Conn) Read() (Packet, error) {
	var n int
	var from net.Addr
	var err error
	p := Packet{}
	if c.v4 != nil {
		var cm *ipv4.ControlMessage
		n, cm, from, err = c.v4.ReadFrom(c.buf[:])
		if err == nil && cm != nil {
			p.TTL, p.Dst = cm.TTL, addrOf(cm.Dst)
		}
	} else {
		var cm *ipv6.ControlMessage
		n, cm, from, err = c.v6.ReadFrom(c.buf[:])
		if err == nil && cm != nil {
			p.TTL, p.Dst = cm.HopLimit, addrOf(cm.Dst)
		}
	}
	if err != nil {
		return p, err
	}
	if ip, ok := from.(*net.IPAddr); ok {
		p.Src = addrOf(ip.IP)
	}
	p.Data = c.buf[:n]
	return p, nil
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// Write sends to one address, from the one that the socket was opened for.
func (c *Conn) Write(b []byte, to netip.Addr) error {
	dst := &net.IPAddr{IP: to.AsSlice()}
	var err error
	if c.v4 != nil {
		_, err = c.v4.WriteTo(b, &ipv4.ControlMessage{Src: c.via.From.AsSlice(), IfIndex: c.via.Index}, dst)
	} else {
		if to.IsLinkLocalUnicast() || to.IsLinkLocalMulticast() {
			dst.Zone = c.via.If
		}
		_, err = c.v6.WriteTo(b, &ipv6.ControlMessage{Src: c.via.From.AsSlice(), IfIndex: c.via.Index}, dst)
	}
	if err != nil {
		return fmt.Errorf("send to %s on %s: %w", to, c.via.If, err)
	}
	return nil
}

// Close closes the socket.
func (c *Conn) Close() error { return c.pc.Close() }
