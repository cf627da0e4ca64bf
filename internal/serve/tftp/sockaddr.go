package tftp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// sockaddr is an address and port as the kernel writes them (struct sockaddr_in and sockaddr_in6,
// ip(7), ipv6(7)): a packet's source is compared without being decoded.
type sockaddr struct {
	b [unix.SizeofSockaddrInet6]byte
	n uint32 // bytes of b that count
}

// sockaddrOf encodes an address. A zone is the number or the name of an interface.
func sockaddrOf(a netip.AddrPort) sockaddr {
	var s sockaddr
	addr := a.Addr().Unmap()
	binary.BigEndian.PutUint16(s.b[2:], a.Port())
	if addr.Is4() {
		binary.NativeEndian.PutUint16(s.b[:], unix.AF_INET)
		ip := addr.As4()
		copy(s.b[4:], ip[:])
		s.n = unix.SizeofSockaddrInet4
		return s
	}
	binary.NativeEndian.PutUint16(s.b[:], unix.AF_INET6)
	ip := addr.As16()
	copy(s.b[8:], ip[:])
	binary.NativeEndian.PutUint32(s.b[24:], zoneIndex(addr.Zone()))
	s.n = unix.SizeofSockaddrInet6
	return s
}

// zoneIndex is asked once a socket, not for packets that come: their zone is a number already.
func zoneIndex(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if i, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(i)
	}
	if ifi, err := net.InterfaceByName(zone); err == nil {
		return uint32(ifi.Index)
	}
	return 0
}

// addrPort decodes an address; the invalid one for a family that is not IP. A link-local address
// gets the interface's number as its zone.
func (s *sockaddr) addrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(s.b[2:])
	switch binary.NativeEndian.Uint16(s.b[:]) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(s.b[4:8])), port)
	case unix.AF_INET6:
		addr := netip.AddrFrom16([16]byte(s.b[8:24])).Unmap()
		if zone := binary.NativeEndian.Uint32(s.b[24:]); zone != 0 && addr.IsLinkLocalUnicast() {
			addr = addr.WithZone(strconv.FormatUint(uint64(zone), 10))
		}
		return netip.AddrPortFrom(addr, port)
	}
	return netip.AddrPort{}
}

// same compares family, port and address: not what the kernel leaves undefined.
func (s *sockaddr) same(o *sockaddr) bool {
	if [8]byte(s.b[:8]) != [8]byte(o.b[:8]) {
		return false
	}
	return s.n == unix.SizeofSockaddrInet4 || [20]byte(s.b[8:]) == [20]byte(o.b[8:])
}
