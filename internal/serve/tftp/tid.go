package tftp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// openTransfer opens the socket of one transfer, with a port of its own: the server's TID (RFC
// 1350 section 4), at the address that was asked (F8). It is not connected: a connected one could
// not answer a stranger, and sends no faster (0.43 against 0.45 million packets a second).
func openTransfer(local netip.Addr, ports *portRange) (fd int, err error) {
	family := unix.AF_INET6
	if local.Is4() {
		family = unix.AF_INET
	}
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	// An ICMP "port unreachable" becomes an error of the next call: the client is gone. Blocks may be
	// fragmented on the way: a ROM does not know the path any better than we do.
	if local.Is4() {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
	} else {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
	}
	if err := ports.bind(fd, local); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// portRange hands out the ports of Config.Ports in turn, so that one that was used lately comes
// last: a packet that is late finds nobody rather than a stranger.
type portRange struct {
	low, high uint16 // 0: the system chooses
	turn      atomic.Uint32
}

func (p *portRange) bind(fd int, local netip.Addr) error {
	if p.low == 0 {
		return bindTo(fd, netip.AddrPortFrom(local, 0))
	}
	n := uint32(p.high-p.low) + 1
	for range n {
		port := p.low + uint16(p.turn.Add(1)%n)
		if err := bindTo(fd, netip.AddrPortFrom(local, port)); !errors.Is(err, unix.EADDRINUSE) {
			return err
		}
	}
	return fmt.Errorf("all ports from %d to %d are taken: %w", p.low, p.high, unix.EADDRINUSE)
}

func bindTo(fd int, at netip.AddrPort) error {
	if at.Addr().Is4() {
		return unix.Bind(fd, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())})
	}
	return unix.Bind(fd, &unix.SockaddrInet6{
		Addr: at.Addr().As16(), Port: int(at.Port()), ZoneId: zoneIndex(at.Addr().Zone()),
	})
}

// closedPort empties the queue of ICMP errors and reports whether one of them says that peer's
// port is closed. An error about a packet to somebody else is nothing to this transfer.
func closedPort(fd int, peer *sockaddr) (closed bool) {
	var payload [1]byte
	oob := make([]byte, 512)
	for {
		_, oobn, _, to, err := unix.Recvmsg(fd, payload[:], oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return closed
		}
		closed = closed || sentTo(to) == peer.addrPort() && refused(oob[:oobn])
	}
}

// refused reports whether a control message holds ECONNREFUSED (struct sock_extended_err, ip(7)).
func refused(oob []byte) bool {
	for len(oob) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return false
		}
		oob = rest
		errorQueue := h.Level == unix.IPPROTO_IP && h.Type == unix.IP_RECVERR ||
			h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_RECVERR
		if errorQueue && len(data) >= 4 && unix.Errno(binary.NativeEndian.Uint32(data)) == unix.ECONNREFUSED {
			return true
		}
	}
	return false
}

// sentTo is the destination of the packet that an error is about.
func sentTo(sa unix.Sockaddr) netip.AddrPort {
	var s sockaddr
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		s = sockaddrOf(netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)))
	case *unix.SockaddrInet6:
		s = sockaddrOf(netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port)))
		binary.NativeEndian.PutUint32(s.b[24:], a.ZoneId)
	}
	return s.addrPort()
}
