package storm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller tells which sockets have something to read (epoll, level-triggered).
type poller struct {
	fd     int
	port   uint16 // the last one given to a socket
	events [256]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &poller{fd: fd, port: uint16(firstPort + rand.IntN(ports))}, nil
}

// Ports of clients, as Linux gives them out (ip_local_port_range).
const (
	firstPort = 32768
	ports     = 28232
)

// nextPort counts through the ports, as ROMs do: a port that was given back moments ago, chosen by
// chance, would get the last packets of the transfer that had it, and a server could take its
// request for a copy.
func (p *poller) nextPort() uint16 {
	p.port++
	if p.port < firstPort || int(p.port) >= firstPort+ports {
		p.port = firstPort
	}
	return p.port
}

// wait returns what is ready, after at most so many milliseconds; 0 does not sleep. What does not sleep
// is called without Go's scheduler, here and below: to tell it costs 3 % of all the time.
func (p *poller) wait(ms int) []unix.EpollEvent {
	if ms > 0 {
		n, err := unix.EpollWait(p.fd, p.events[:], ms)
		if err != nil { // EINTR
			return nil
		}
		return p.events[:n]
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
	if errno != 0 { // EINTR
		return nil
	}
	return p.events[:n]
}

// open makes the UDP socket of one client, of which the poller speaks as slot. It is not connected,
// since a server answers from another port than the one asked, and yet hears of ICMP errors
// (IP_RECVERR, ip(7)). What it sends is small and not to be fragmented: such packets need no number of
// the kernel's, which costs as much as the address look-up.
func (p *poller) open(from netip.Addr, buffer, slot int) (fd int, err error) {
	family, level, opt := unix.AF_INET, unix.SOL_IP, unix.IP_RECVERR
	if from.Is6() {
		family, level, opt = unix.AF_INET6, unix.SOL_IPV6, unix.IPV6_RECVERR
	}
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	_ = unix.SetsockoptInt(fd, level, opt, 1)
	if from.Is4() {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
	}
	if buffer > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
	}
	if err = p.bind(fd, from); err == nil {
		err = os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(slot)}))
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// inPieces has what a server sends in one piece come in one piece (UDP_GRO of Linux 5.0; older ones
// deliver piece by piece).
func inPieces(fd int) { _ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) }

// bind gives a socket the next port that nobody has.
func (p *poller) bind(fd int, from netip.Addr) error {
	var err error
	for range 1000 {
		var at unix.Sockaddr
		if port := int(p.nextPort()); from.Is4() {
			at = &unix.SockaddrInet4{Addr: from.As4(), Port: port}
		} else {
			at = &unix.SockaddrInet6{Addr: from.As16(), Port: port}
		}
		if err = unix.Bind(fd, at); !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("bind %s: %w", from, err)
	}
	return nil
}

// sendTo sends one datagram. A full queue loses it, as a network would. The standard wrapper would
// allocate for each packet.
func sendTo(fd int, b []byte, to netip.AddrPort) error {
	var sa unix.RawSockaddrInet6
	size := putAddr(&sa, to)
	var errno unix.Errno
	for range 2 { // the first attempt may only hand over the ICMP error of an earlier packet
		_, _, errno = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
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

// usage returns the processor time that this process has used, in nanoseconds.
func usage() int64 {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return ru.Utime.Nano() + ru.Stime.Nano()
}
