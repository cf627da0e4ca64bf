package tftp

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"surefoot/internal/kernel/bind"
)

const (
	// receiveBuffer of the request port in bytes: room for a boot storm's first packets. A
	// request lost here costs its client a whole timeout.
	receiveBuffer = 8 << 20
	// maxRequest is the longest request that is read, in bytes; RFC 2347 allows 512.
	maxRequest = 2048
)

// requestConn is the socket of the request port. It tells to which address a packet was sent.
type requestConn struct{ *net.UDPConn }

func listenRequests(ctx context.Context, at netip.AddrPort) (*requestConn, error) {
	v6 := at.Addr().Is6() && !at.Addr().Is4In6()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		cerr := c.Control(func(fd uintptr) {
			// Forced if we may, else as much as the machine allows: less is slower, not wrong.
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
			}
			if v6 {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
			} else {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
			}
		})
		return errors.Join(cerr, err)
	}}
	pc, err := lc.ListenPacket(ctx, networkOf(at.Addr()), at.String())
	if err != nil {
		return nil, bind.Explain(err, "udp", at, "")
	}
	return &requestConn{pc.(*net.UDPConn)}, nil
}

func (c *requestConn) addr() netip.AddrPort {
	return unmap(c.LocalAddr().(*net.UDPAddr).AddrPort())
}

// read reads one packet. local is the address that it was sent to, the invalid one if that was a
// broadcast or multicast address. A packet that did not fit is returned one byte too long.
func (c *requestConn) read(buf, oob []byte) (n int, from netip.AddrPort, local netip.Addr, err error) {
	n, oobn, _, from, err := c.ReadMsgUDPAddrPort(buf, oob)
	if err != nil {
		return 0, netip.AddrPort{}, netip.Addr{}, err
	}
	return n, unmap(from), destination(oob[:oobn]), nil
}

// write sends a packet from the address that was asked (F8), which a wildcard socket does not by
// itself.
func (c *requestConn) write(b []byte, to netip.AddrPort, from netip.Addr) error {
	var oob []byte
	if from.Is4() {
		oob = unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: from.As4()})
	} else {
		info := unix.Inet6Pktinfo{Addr: from.As16()}
		if i, err := strconv.ParseUint(from.Zone(), 10, 32); err == nil {
			info.Ifindex = uint32(i)
		}
		oob = unix.PktInfo6(&info)
	}
	_, _, err := c.WriteMsgUDPAddrPort(b, oob, to)
	return err
}

// destination reads the address that a packet was sent to from its control messages (IP_PKTINFO,
// ip(7); RFC 3542 section 6). A link-local address gets the interface's number as its zone.
func destination(oob []byte) netip.Addr {
	for len(oob) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		oob = rest
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= 12:
			ours, dst := netip.AddrFrom4([4]byte(data[4:8])), netip.AddrFrom4([4]byte(data[8:12]))
			if ours == dst { // else it went to everybody
				return dst
			}
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= 20:
			dst := netip.AddrFrom16([16]byte(data[:16]))
			if dst.IsLinkLocalUnicast() {
				dst = dst.WithZone(strconv.FormatUint(uint64(binary.NativeEndian.Uint32(data[16:20])), 10))
			}
			if !dst.IsMulticast() {
				return dst
			}
		}
	}
	return netip.Addr{}
}

// transferConn is the socket of one transfer, with a port of its own: the server's TID (RFC 1350
// section 4). It is not connected: a connected one could not answer a stranger.
type transferConn struct {
	*net.UDPConn
	raw syscall.RawConn
}

// openTransfer opens a socket at the address that was asked.
func openTransfer(local netip.Addr) (*transferConn, error) {
	c, err := net.ListenUDP(networkOf(local), net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		return nil, err
	}
	raw, err := c.SyscallConn()
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	_ = raw.Control(func(fd uintptr) {
		// An ICMP "port unreachable" becomes an error of the next call: the client is gone. Blocks
		// may be fragmented on the way: a ROM does not know the path any better than we do.
		if local.Is4() {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, 1)
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
		} else {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
		}
	})
	return &transferConn{UDPConn: c, raw: raw}, nil
}

// closedPort empties the queue of ICMP errors and reports whether one of them says that peer's
// port is closed. An error about a packet to somebody else is nothing to this transfer.
func (c *transferConn) closedPort(peer netip.AddrPort) (closed bool) {
	_ = c.raw.Control(func(fd uintptr) {
		var payload [1]byte
		oob := make([]byte, 512)
		for {
			_, oobn, _, to, err := unix.Recvmsg(int(fd), payload[:], oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				return
			}
			closed = closed || sentTo(to) == peer && refused(oob[:oobn])
		}
	})
	return closed
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

func sentTo(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(a.Addr)
		if a.ZoneId != 0 && addr.IsLinkLocalUnicast() {
			addr = addr.WithZone(strconv.FormatUint(uint64(a.ZoneId), 10))
		}
		return netip.AddrPortFrom(addr.Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

func networkOf(a netip.Addr) string {
	if a.Is4() || a.Is4In6() {
		return "udp4"
	}
	return "udp6"
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
