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
	// receiveBuffer of each request socket in bytes: room for a boot storm's first packets. With the
	// kernel's 208 KiB about 250 of 1000 first requests are lost, each of which costs its client a
	// whole timeout; with this none was.
	receiveBuffer = 8 << 20
	// sendBuffer of a request socket that serves transfers, in bytes.
	sendBuffer = 4 << 20
	// maxRequest is the longest request that is read, in bytes; RFC 2347 allows 512.
	maxRequest = 2048
)

// requestSocket is one socket of the request port. Its loop alone uses it.
type requestSocket struct {
	fd   int // closed when < 0
	addr netip.AddrPort
}

// listenRequests opens n sockets on one address, between which the kernel shares the clients out
// (SO_REUSEPORT, by address and port of both sides: what a client repeats reaches the same one).
//
// The first is bound without SO_REUSEPORT, which fails if anybody else has the port; only then
// may the others join it. A second server, here or in another process, always begins with a first
// socket and so is refused, instead of taking half of the clients in silence.
func listenRequests(ctx context.Context, at netip.AddrPort, n int, single, free bool) ([]*requestSocket, error) {
	first, err := listenRequest(ctx, at, false, single, free)
	if err != nil {
		return nil, bind.Explain(err, "udp", at, "")
	}
	all := []*requestSocket{first}
	fail := func(err error) ([]*requestSocket, error) {
		for _, s := range all {
			s.close()
		}
		return nil, bind.Explain(err, "udp", at, "")
	}
	if n > 1 {
		if err := unix.SetsockoptInt(first.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return fail(err)
		}
	}
	for len(all) < n {
		s, err := listenRequest(ctx, netip.AddrPortFrom(at.Addr(), first.addr.Port()), true, single, free)
		if err != nil {
			return fail(err)
		}
		all = append(all, s)
	}
	return all, nil
}

func listenRequest(ctx context.Context, at netip.AddrPort, shared, single, free bool) (*requestSocket, error) {
	v6 := at.Addr().Is6() && !at.Addr().Is4In6()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		cerr := c.Control(func(fd uintptr) { err = requestOptions(int(fd), v6, shared, single, free) })
		return errors.Join(cerr, err)
	}}
	pc, err := lc.ListenPacket(ctx, networkOf(at.Addr()), at.String())
	if err != nil {
		return nil, err
	}
	defer pc.Close() // the duplicate stays, out of the sight of the runtime's poller
	raw, err := pc.(*net.UDPConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &requestSocket{fd: -1, addr: unmap(pc.LocalAddr().(*net.UDPAddr).AddrPort())}
	cerr := raw.Control(func(fd uintptr) { s.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	return s, errors.Join(cerr, err)
}

func requestOptions(fd int, v6, shared, single, free bool) error {
	if free && !v6 { // the address may come later, and move between nodes
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_FREEBIND, 1); err != nil {
			return err
		}
	}
	// Forced if we may, else as much as the machine allows: less is slower, not wrong.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	if single { // it sends all DATA as well, in fragments where it must
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
		}
		if !v6 {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
		}
	}
	if shared {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	if v6 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
}

func (s *requestSocket) close() {
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
		s.fd = -1
	}
}

// write sends a packet from the address that was asked (F8), which a wildcard socket does not by
// itself.
func (s *requestSocket) write(b []byte, to netip.AddrPort, from netip.Addr) error {
	if s.fd < 0 {
		return net.ErrClosed
	}
	var sa unix.Sockaddr
	if to.Addr().Is4() {
		sa = &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	} else {
		sa = &unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port()), ZoneId: zoneIndex(to.Addr().Zone())}
	}
	return unix.Sendmsg(s.fd, b, sourceControl(from), sa, unix.MSG_DONTWAIT)
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

func networkOf(a netip.Addr) string {
	if a.Is4() || a.Is4In6() {
		return "udp4"
	}
	return "udp6"
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
