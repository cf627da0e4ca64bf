// Package vrrp turns VRRP advertisements into values and back: version 3 for IPv4 and IPv6 (RFC 9568,
// before it RFC 5798), and version 2 for IPv4 (RFC 3768). It opens no socket, and decides nothing of
// who is the master; nor does it look at what the IP header says, which is its reader's business.
package vrrp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// What an IP packet that carries VRRP has (RFC 9568 section 5.1).
const (
	Protocol = 112
	TTL      = 255 // and IPv6's hop limit; anything else came from another network
)

// Group4 and Group6 are who advertisements are sent to where no peers are named (RFC 9568 section 5.1).
func Group4() netip.Addr { return netip.AddrFrom4([4]byte{224, 0, 0, 18}) }

// Group6 is Group4 of IPv6.
func Group6() netip.Addr { return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x12}) }

// Priorities with a meaning of their own (RFC 9568 section 5.2.4).
const (
	PriorityFarewell = 0   // the master ceases to be it
	PriorityOwner    = 255 // the addresses are the sender's own
)

// Intervals between advertisements that a packet can tell.
const (
	Unit3 = 10 * time.Millisecond // RFC 9568 section 5.2.7: centiseconds in 12 bits
	Max3  = 4095 * Unit3
	Unit2 = time.Second // RFC 3768 section 5.3.7: seconds in 8 bits
	Max2  = 255 * Unit2
)

// Advert is an advertisement, the only type of packet there is.
type Advert struct {
	Version  int // 2 or 3
	VRID     uint8
	Priority uint8
	Interval time.Duration // between advertisements of the sender
	Addrs    []netip.Addr  // that the sender stands for
	AuthType uint8         // version 2 alone; 0: none, which RFC 3768 leaves as the only one
}

const (
	header    = 8
	typ       = 1
	authBytes = 8 // that version 2 ends with (RFC 3768 section 5.3.10)
)

// Parse reads what an IP packet between these two addresses carries, and checks its checksum. The
// addresses tell whether it is IPv4 or IPv6.
func Parse(b []byte, src, dst netip.Addr) (Advert, error) {
	if len(b) < header {
		return Advert{}, fmt.Errorf("%d bytes are too few for a VRRP packet", len(b))
	}
	a := Advert{Version: int(b[0] >> 4), VRID: b[1], Priority: b[2]}
	if t := b[0] & 15; t != typ {
		return a, fmt.Errorf("type %d is not an advertisement", t)
	}
	size := src.BitLen() / 8
	tail := 0
	switch {
	case a.Version == 3:
		a.Interval = time.Duration(binary.BigEndian.Uint16(b[4:])&0x0fff) * Unit3
	case a.Version == 2 && size == 4:
		a.AuthType, a.Interval, tail = b[4], time.Duration(b[5])*Unit2, authBytes
	default:
		return a, &VersionError{a.Version}
	}
	n := int(b[3])
	want := header + n*size + tail
	if len(b) < want {
		return a, fmt.Errorf("%d bytes are too few for %d addresses", len(b), n)
	}
	b = b[:want] // a frame's padding may follow
	if sum := checksum(a.Version, b, src, dst); sum != 0 {
		return a, ErrChecksum
	}
	if a.VRID == 0 {
		return a, fmt.Errorf("the router's number (VRID) is 0")
	}
	if a.Interval == 0 && a.Priority != PriorityFarewell {
		return a, fmt.Errorf("the interval between advertisements is 0")
	}
	for i := range n {
		addr, _ := netip.AddrFromSlice(b[header+i*size:][:size])
		a.Addrs = append(a.Addrs, addr)
	}
	return a, nil
}

// VersionError is a packet of a version that is not read.
type VersionError struct{ Version int }

func (e *VersionError) Error() string { return fmt.Sprintf("VRRP version %d is not read", e.Version) }

// ErrChecksum is a packet that was damaged, or whose sender leaves the pseudo header out.
var ErrChecksum = fmt.Errorf("the checksum is wrong")

// Append writes the packet to b. The checksum holds between these two addresses, which a packet of
// version 3 cannot do without.
func (a Advert) Append(b []byte, src, dst netip.Addr) []byte {
	at := len(b)
	b = append(b, byte(a.Version)<<4|typ, a.VRID, a.Priority, byte(len(a.Addrs)))
	if a.Version == 2 {
		b = append(b, a.AuthType, byte(min(a.Interval, Max2)/Unit2), 0, 0)
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(min(a.Interval, Max3)/Unit3))
		b = append(b, 0, 0)
	}
	for _, addr := range a.Addrs {
		b = append(b, addr.AsSlice()...)
	}
	if a.Version == 2 {
		b = append(b, make([]byte, authBytes)...)
	}
	binary.BigEndian.PutUint16(b[at+6:], checksum(a.Version, b[at:], src, dst))
	return b
}

// checksum is the Internet checksum (RFC 1071): of what to send with its field 0, else 0 if it is right.
// Version 2 sums the packet alone (RFC 3768 section 5.3.8), version 3 a pseudo header as well (RFC 9568
// section 5.2.8; RFC 8200 section 8.1).
func checksum(version int, b []byte, src, dst netip.Addr) uint16 {
	var sum uint32
	add := func(b []byte) {
		for ; len(b) >= 2; b = b[2:] {
			sum += uint32(b[0])<<8 | uint32(b[1])
		}
		if len(b) == 1 {
			sum += uint32(b[0]) << 8
		}
	}
	if version != 2 {
		add(src.AsSlice())
		add(dst.AsSlice())
		sum += Protocol + uint32(len(b))
	}
	add(b)
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
