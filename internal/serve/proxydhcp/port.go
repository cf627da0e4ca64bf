package proxydhcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/iface"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// rawFrames is the part of rawsock.PacketConn that answers need.
type rawFrames interface{ Write(frame []byte) error }

// rawIPv4 is the part of rawsock.IPv4Conn that answers need.
type rawIPv4 interface{ Write(packet []byte) error }

// bootSocket is the part of the UDP socket of port 4011 that answers need.
type bootSocket interface {
	WriteMsgUDPAddrPort(b, oob []byte, to netip.AddrPort) (n, oobn int, err error)
}

// port is an interface that is served.
type port struct {
	name   string
	link   atomic.Pointer[Link] // as it was seen last
	iface  *iface.Interface     // who sees it
	index  int                  // of the interface that the sockets are bound to; Listen's, then watch's
	raw    *rawsock.PacketConn
	udp    *net.UDPConn // port 4011
	frames rawFrames    // raw, but for tests
	reply  bootSocket   // udp, but for tests
	free   sync.Pool    // buffers that nobody uses
}

// downPause is how long a reader waits after the kernel said that its link is down.
const downPause = 100 * time.Millisecond

var _ rawIPv4 = (*rawsock.IPv4Conn)(nil)

// packet is a packet that waits to be worked on.
type packet struct {
	data     []byte
	from, to netip.AddrPort // of a datagram to port 4011
}

// acquire returns a buffer, and release takes it back.
func (p *port) acquire() []byte {
	if b, ok := p.free.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, rawsock.MaxFrame)
}

func (p *port) release(b packet) {
	b.data = b.data[:cap(b.data)]
	p.free.Put(&b.data)
}

// at is the interface as it was seen last.
func (p *port) at() Link { return *p.link.Load() }

// readRaw reads one frame. It waits while the link is down or gone.
func (p *port) readRaw(ctx context.Context) (packet, error) {
	b := p.acquire()
	for {
		n, err := p.raw.Read(b)
		if err == nil {
			return packet{data: b[:n]}, nil
		}
		if !rawsock.Down(err) {
			return packet{}, err
		}
		select {
		case <-ctx.Done():
			return packet{}, ctx.Err()
		case <-time.After(downPause):
		}
	}
}

// readBoot reads one datagram of port 4011 with the address that it was sent to.
func (p *port) readBoot(context.Context) (packet, error) {
	b := p.acquire()
	var oob [64]byte
	n, oobn, _, from, err := p.udp.ReadMsgUDPAddrPort(b, oob[:])
	if err != nil {
		return packet{}, fmt.Errorf("read from port %d: %w", dhcp4.PXEPort, err)
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	return packet{data: b[:n], from: from, to: netip.AddrPortFrom(askedAddr(oob[:oobn]), dhcp4.PXEPort)}, nil
}

// askedAddr reads the address that a datagram was sent to from its IP_PKTINFO (ip(7)): the
// local address, which for a broadcast is the interface's own.
func askedAddr(oob []byte) netip.Addr {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return netip.Addr{}
	}
	for _, m := range msgs {
		if m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= 12 {
			return netip.AddrFrom4([4]byte(m.Data[4:8])) // ipi_spec_dst
		}
	}
	return netip.Addr{}
}

// interrupt ends the reads that wait. What was read before is still worked on.
func (p *port) interrupt() {
	past := time.Unix(1, 0)
	_ = p.raw.SetReadDeadline(past)
	_ = p.udp.SetReadDeadline(past)
}

// send writes a reply and sends it on its way; own is the interface's address.
func (p *port) send(ip rawIPv4, own boot.MAC, reply *dhcp4.Packet, r Route) error {
	b, err := reply.Encode(0)
	if err != nil {
		return err
	}
	d := frame.Datagram{SrcMAC: own, DstMAC: r.DstMAC, Src: r.Src, Dst: r.Dst, Payload: b}
	switch r.Kind {
	case RouteFrame:
		return p.frames.Write(d.Frame())
	case RouteIP:
		return ip.Write(d.IP())
	case RouteBoot:
		src := unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: r.Src.Addr().As4()})
		if _, _, err := p.reply.WriteMsgUDPAddrPort(b, src, r.Dst); err != nil {
			return fmt.Errorf("send from %s to %s: %w", r.Src, r.Dst, err)
		}
		return nil
	}
	return fmt.Errorf("no way to send to %s", r.Dst)
}

func (p *port) close() error {
	var err error
	if p.raw != nil {
		err = p.raw.Close()
	}
	if p.udp != nil {
		err = errors.Join(err, p.udp.Close())
	}
	return err
}
