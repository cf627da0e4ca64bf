package storm

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"surefoot/internal/probe"
)

// poller tells which sockets have something to read (epoll, level-triggered).
type poller struct {
	fd     int
	events [256]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &poller{fd: fd}, nil
}

// wait returns what is ready, after at most so many milliseconds; 0 does not sleep.
func (p *poller) wait(ms int) []unix.EpollEvent {
	n, err := unix.EpollWait(p.fd, p.events[:], ms)
	if err != nil { // EINTR
		return nil
	}
	return p.events[:n]
}

// open makes the UDP socket of one client, of which the poller speaks as slot. It is not connected,
// since a server answers from another port than the one asked, and yet hears of ICMP errors
// (IP_RECVERR, ip(7)). What a server sends in one piece comes in one piece (UDP_GRO).
func (p *poller) open(from netip.Addr, buffer, slot int) (fd int, err error) {
	family, level, opt := unix.AF_INET, unix.SOL_IP, unix.IP_RECVERR
	var at unix.Sockaddr = &unix.SockaddrInet4{Addr: from4(from)}
	if from.Is6() {
		family, level, opt = unix.AF_INET6, unix.SOL_IPV6, unix.IPV6_RECVERR
		at = &unix.SockaddrInet6{Addr: from.As16()}
	}
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	_ = unix.SetsockoptInt(fd, level, opt, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) // Linux 5.0; older ones send piece by piece
	if buffer > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
	}
	if err = unix.Bind(fd, at); err != nil {
		err = fmt.Errorf("bind %s: %w", from, err)
	} else {
		err = os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(slot)}))
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func from4(a netip.Addr) (b [4]byte) {
	if a.Is4() {
		b = a.As4()
	}
	return b
}

// sendTo sends one datagram. A full queue loses it, as a network would. The standard wrapper would
// allocate for each packet.
func sendTo(fd int, b []byte, to netip.AddrPort) error {
	var sa unix.RawSockaddrInet6
	size := putAddr(&sa, to)
	var errno unix.Errno
	for range 2 { // the first attempt may only hand over the ICMP error of an earlier packet
		_, _, errno = unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&sa)), uintptr(size))
		switch errno {
		case 0, unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM:
			return nil
		}
	}
	return errno
}

// putAddr writes an address as the kernel has it, in the larger of the two forms, and returns its size.
func putAddr(sa *unix.RawSockaddrInet6, to netip.AddrPort) uint32 {
	if to.Addr().Is4() {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		*four = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: hostOrder(to.Port()), Addr: to.Addr().As4()}
		return unix.SizeofSockaddrInet4
	}
	*sa = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: hostOrder(to.Port()), Addr: to.Addr().As16()}
	return unix.SizeofSockaddrInet6
}

// getAddr reads what putAddr writes.
func getAddr(sa *unix.RawSockaddrInet6) netip.AddrPort {
	if sa.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), hostOrder(four.Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), hostOrder(sa.Port))
}

// hostOrder turns a port as it lies in memory in network order into a number, and back.
func hostOrder(port uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&port))
	return uint16(b[0])<<8 | uint16(b[1])
}

// refusal reads the errors that the kernel queued for a socket and returns the last that speaks of
// one of the addresses.
func refusal(fd int, about ...netip.AddrPort) (errno unix.Errno, found bool) {
	buf, oob := make([]byte, 0, 1), make([]byte, 512)
	for {
		_, n, _, from, err := unix.Recvmsg(fd, buf, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return errno, found
		}
		for _, a := range about {
			if e, ok := queued(oob[:n]); ok && a.IsValid() && sameAddr(from, a) {
				errno, found = e, true
			}
		}
	}
}

// queued finds the error in the control messages of an error queue: struct sock_extended_err, whose
// first field is the number.
func queued(oob []byte) (unix.Errno, bool) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, m := range msgs {
		if (m.Header.Type == unix.IP_RECVERR || m.Header.Type == unix.IPV6_RECVERR) && len(m.Data) >= 4 {
			return unix.Errno(*(*uint32)(unsafe.Pointer(unsafe.SliceData(m.Data)))), true
		}
	}
	return 0, false
}

func sameAddr(sa unix.Sockaddr, a netip.AddrPort) bool {
	switch x := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(x.Addr) == a.Addr() && x.Port == int(a.Port())
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(x.Addr).Unmap() == a.Addr() && x.Port == int(a.Port())
	}
	return false
}

// refusedEvent says what an error of the kernel means to a client.
func refusedEvent(err error, server netip.AddrPort) event {
	ev := event{kind: refused, code: probe.LocalError, text: fmt.Sprintf("exchange with %s: %v", server, err)}
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		ev.code, ev.text = probe.Refused, fmt.Sprintf("%s answers that nothing listens there", server)
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTDOWN):
		ev.code, ev.text = probe.Unreachable, fmt.Sprintf("%s cannot be reached: %v", server.Addr(), err)
	}
	return ev
}

// usage returns the processor time that this process has used, in nanoseconds.
func usage() int64 {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return ru.Utime.Nano() + ru.Stime.Nano()
}
