// Package rawsock opens the two kinds of raw socket by which a server talks to machines that
// have no address yet: AF_PACKET sockets, one an interface, that read DHCP requests and write
// whole frames (packet(7)), and an IPv4 socket that sends packets with a source port that
// another process may hold (raw(7)). So a ProxyDHCP server works beside a DHCP server on the
// same host, and never needs the ARP table for a client.
//
// It knows no DHCP: what is in a frame is the business of wire/frame and wire/dhcp4.
package rawsock

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
)

// receiveBuffer is what one interface's socket may hold while the program is busy: some
// thousand requests, in bytes of kernel memory.
const receiveBuffer = 8 << 20

// MaxFrame is the most of a frame that the filter passes on, in bytes: no DHCP request that
// fits an Ethernet is longer.
const MaxFrame = 2048

// PacketConn reads UDP datagrams to a port, or some, on one interface as Ethernet frames, and writes
// frames. It sees what the kernel sees, whoever holds the port, but not what this host sends.
type PacketConn struct {
	name   string
	c      *packet.Conn
	rc     syscall.RawConn // of c
	closed atomic.Bool
}

// ListenPacket opens a socket on the interface with that index for IPv4 UDP datagrams to any of
// some ports, fragments excepted. A missing capability is a *PermissionError.
func ListenPacket(name string, index int, mac boot.MAC, ports ...uint16) (*PacketConn, error) {
	return listenPacket(name, index, mac, udpTo(false, ports))
}

// ListenForeign is ListenPacket for somebody who plays another machine, with the MAC address as: the
// interface takes frames to that one, too, as long as the socket is open (PACKET_MR_UNICAST of
// packet(7)). Only where it cannot is it put into promiscuous mode, which logs and auditors note.
func ListenForeign(name string, index int, mac boot.MAC, port uint16, as boot.MAC) (*PacketConn, error) {
	p, err := listenPacket(name, index, mac, udpTo(true, []uint16{port}))
	if err != nil {
		return nil, err
	}
	unicast := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_UNICAST, Alen: uint16(len(as))}
	copy(unicast.Address[:], as[:])
	err = p.control(func(fd int) error {
		return unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unicast)
	})
	if err == nil {
		return p, nil
	}
	if err := p.c.SetPromiscuous(true); err != nil {
		_ = p.Close()
		return nil, explain("read the frames of other machines on "+name, err)
	}
	return p, nil
}

// ListenCrowd is ListenForeign for somebody who plays many machines: the interface is put into promiscuous
// mode as long as the socket is open.
func ListenCrowd(name string, index int, mac boot.MAC, port uint16) (*PacketConn, error) {
	p, err := listenPacket(name, index, mac, udpTo(true, []uint16{port}))
	if err != nil {
		return nil, err
	}
	if err := p.c.SetPromiscuous(true); err != nil {
		_ = p.Close()
		return nil, explain("read the frames of other machines on "+name, err)
	}
	return p, nil
}

func listenPacket(name string, index int, mac boot.MAC, instructions []bpf.Instruction) (*PacketConn, error) {
	filter, err := bpf.Assemble(instructions)
	if err != nil {
		return nil, fmt.Errorf("assemble packet filter: %w", err)
	}
	ifi := &net.Interface{Index: index, Name: name, HardwareAddr: mac.HardwareAddr()}
	c, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_IP, &packet.Config{Filter: filter})
	if err != nil {
		return nil, explain("open a packet socket on "+name, err)
	}
	rc, err := c.SyscallConn()
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("set up the packet socket on %s: %w", name, err)
	}
	p := &PacketConn{name: name, c: c, rc: rc}
	if err := p.control(setPacketOptions); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("set up the packet socket on %s: %w", name, err)
	}
	return p, nil
}

func setPacketOptions(fd int) error {
	// Linux 4.20. Without it the socket reads back every frame that this host sends.
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		return fmt.Errorf("ignore outgoing frames (needs Linux 4.20): %w", err)
	}
	// Beyond net.core.rmem_max it needs CAP_NET_ADMIN; with less the socket works as well.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	return nil
}

func (p *PacketConn) control(f func(fd int) error) error {
	var inner error
	if err := p.rc.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// Read reads one frame; one longer than b is cut. It returns os.ErrDeadlineExceeded after
// SetReadDeadline, net.ErrClosed after Close, and an error for which Down is true while the
// interface is down or gone.
func (p *PacketConn) Read(b []byte) (int, error) {
	n, _, err := p.c.ReadFrom(b)
	if err != nil {
		return 0, fmt.Errorf("read from %s: %w", p.name, err)
	}
	return n, nil
}

// Write sends one frame, Ethernet header included, on the interface that the socket is bound to
// now (mdlayher/packet would name the one that it was bound to first).
func (p *PacketConn) Write(frame []byte) error {
	if len(frame) < 14 {
		return fmt.Errorf("write to %s: a frame of %d bytes", p.name, len(frame))
	}
	var inner error
	err := p.rc.Write(func(fd uintptr) bool {
		_, inner = unix.Write(int(fd), frame)
		return !errors.Is(inner, unix.EAGAIN)
	})
	if err = cmp.Or(err, inner); err != nil {
		return fmt.Errorf("write to %s: %w", p.name, err)
	}
	return nil
}

// Rebind binds the socket to the interface with that index, which has the name now, in the
// network namespace in which the socket was opened. A Read that waits goes on waiting.
func (p *PacketConn) Rebind(index int) error {
	err := p.control(func(fd int) error {
		ipv4 := binary.NativeEndian.Uint16([]byte{unix.ETH_P_IP >> 8, unix.ETH_P_IP & 0xff}) // network byte order (packet(7))
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index, Protocol: ipv4})
	})
	if err != nil {
		return fmt.Errorf("bind the packet socket of %s again: %w", p.name, err)
	}
	return nil
}

// SetReadDeadline ends a waiting Read at that time; the zero value waits for ever.
func (p *PacketConn) SetReadDeadline(t time.Time) error { return p.c.SetReadDeadline(t) }

// Close closes the socket and ends a waiting Read.
func (p *PacketConn) Close() error {
	p.closed.Store(true)
	return p.c.Close()
}

// Dropped returns how many frames the kernel has dropped since the last call because the
// program did not read fast enough.
func (p *PacketConn) Dropped() uint32 {
	s, err := p.c.Stats()
	if err != nil {
		return 0
	}
	return s.Drops
}

// Gone reports whether the interface was removed, so that the socket reads
// nothing until Rebind.
func (p *PacketConn) Gone() bool {
	gone := false
	_ = p.control(func(fd int) error {
		sa, err := unix.Getsockname(fd)
		ll, ok := sa.(*unix.SockaddrLinklayer)
		gone = err == nil && ok && ll.Ifindex <= 0
		return err
	})
	return gone
}

// Down reports whether an error says that the interface is down or gone: the socket may be read
// again later.
func Down(err error) bool {
	return errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO)
}
