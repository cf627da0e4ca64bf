// Package frame builds and parses Ethernet frames with an IPv4 UDP datagram inside (RFC 894,
// RFC 791, RFC 768): what a server needs to answer a machine that has no address yet. It knows
// no fragments and no VLAN tags, of other protocols ARP alone, and opens no sockets (kernel/rawsock does).
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"surefoot/internal/boot"
)

const (
	etherLen  = 14
	ipLen     = 20
	udpLen    = 8
	etherIPv4 = 0x0800
	protoUDP  = 17
)

// Overhead is what the IPv4 and UDP headers add to a payload, in bytes.
const Overhead = ipLen + udpLen

// Broadcast is the Ethernet address of everyone.
var Broadcast = boot.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// ErrOther says that the bytes are well-formed as far as they were read, but not a whole UDP
// datagram over IPv4.
var ErrOther = errors.New("not a whole udp datagram over ipv4")

// Datagram is a UDP datagram with the addresses of all layers.
type Datagram struct {
	SrcMAC, DstMAC boot.MAC
	Src, Dst       netip.AddrPort // IPv4
	Payload        []byte         // after Parse: part of the frame that was given
}

// Frame writes the datagram as an Ethernet frame, checksums included.
func (d Datagram) Frame() []byte {
	return d.AppendFrame(make([]byte, 0, etherLen+Overhead+len(d.Payload)))
}

// IP writes the datagram as an IPv4 packet without the Ethernet header, for a raw IPv4 socket.
func (d Datagram) IP() []byte {
	return d.AppendIP(make([]byte, 0, Overhead+len(d.Payload)))
}

// AppendFrame is Frame at the end of b.
func (d *Datagram) AppendFrame(b []byte) []byte {
	b = append(b, d.DstMAC[:]...)
	b = append(b, d.SrcMAC[:]...)
	b = append(b, etherIPv4>>8, etherIPv4&0xff)
	return d.AppendIP(b)
}

// AppendIP is IP at the end of b.
func (d *Datagram) AppendIP(b []byte) []byte {
	src, dst := as4(d.Src.Addr()), as4(d.Dst.Addr())
	var ip [ipLen]byte
	ip[0] = 0x45
	ip[1] = 0xc0 // network control, as DHCP servers mark their packets
	binary.BigEndian.PutUint16(ip[2:], uint16(Overhead+len(d.Payload)))
	ip[8], ip[9] = 64, protoUDP // no identification and no flags: small datagrams, as DHCP servers send them
	copy(ip[12:], src[:])
	copy(ip[16:], dst[:])
	binary.BigEndian.PutUint16(ip[10:], ^sum(0, ip[:]))

	var udp [udpLen]byte
	binary.BigEndian.PutUint16(udp[0:], d.Src.Port())
	binary.BigEndian.PutUint16(udp[2:], d.Dst.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(udpLen+len(d.Payload)))
	pseudo := sum(sum(0, ip[12:20]), []byte{0, protoUDP, udp[4], udp[5]})
	check := ^sum(sum(pseudo, udp[:]), d.Payload)
	if check == 0 {
		check = 0xffff // 0 would say "no checksum"
	}
	binary.BigEndian.PutUint16(udp[6:], check)

	b = append(b, ip[:]...)
	b = append(b, udp[:]...)
	return append(b, d.Payload...)
}

// Parse reads an Ethernet frame. It checks the IPv4 header's checksum and not UDP's: a datagram
// from a program on the same host, or over a veth, arrives with a checksum that its network card
// was meant to finish.
func Parse(b []byte) (Datagram, error) {
	if len(b) < etherLen {
		return Datagram{}, fmt.Errorf("parse ethernet frame: %d bytes", len(b))
	}
	if binary.BigEndian.Uint16(b[12:]) != etherIPv4 {
		return Datagram{}, fmt.Errorf("parse ethernet frame: ether type 0x%02x%02x: %w", b[12], b[13], ErrOther)
	}
	d := Datagram{DstMAC: boot.MAC(b[:6]), SrcMAC: boot.MAC(b[6:12])}
	return d.parseIP(b[etherLen:])
}

func (d Datagram) parseIP(b []byte) (Datagram, error) {
	if len(b) < ipLen || b[0]>>4 != 4 {
		return Datagram{}, errors.New("parse ipv4 header: cut short, or another version")
	}
	hlen, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if hlen < ipLen || total < hlen || total > len(b) {
		return Datagram{}, fmt.Errorf("parse ipv4 header: header %d, total %d, there are %d bytes", hlen, total, len(b))
	}
	if sum(0, b[:hlen]) != 0xffff {
		return Datagram{}, errors.New("parse ipv4 header: wrong checksum")
	}
	if b[9] != protoUDP || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return Datagram{}, fmt.Errorf("parse ipv4 header: protocol %d or a fragment: %w", b[9], ErrOther)
	}
	src, dst := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	u := b[hlen:total]
	if len(u) < udpLen {
		return Datagram{}, fmt.Errorf("parse udp header: %d bytes", len(u))
	}
	n := int(binary.BigEndian.Uint16(u[4:]))
	if n < udpLen || n > len(u) {
		return Datagram{}, fmt.Errorf("parse udp header: says %d bytes, there are %d", n, len(u))
	}
	d.Src = netip.AddrPortFrom(src, binary.BigEndian.Uint16(u[0:]))
	d.Dst = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(u[2:]))
	d.Payload = u[udpLen:n]
	return d, nil
}

// sum continues the one's complement sum of RFC 1071 over b. Only the last part may be of odd
// length. It adds words of 32 bits and folds at the end, which comes to the same (RFC 1071 section
// 2): a datagram is too short for 64 bits to overflow.
func sum(start uint16, b []byte) uint16 {
	s := uint64(start)
	for len(b) >= 16 {
		x, y := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:16])
		s += x>>32 + x&0xffffffff + y>>32 + y&0xffffffff
		b = b[16:]
	}
	for ; len(b) > 1; b = b[2:] {
		s += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

func as4(a netip.Addr) [4]byte {
	if !a.Is4() && !a.Is4In6() {
		return [4]byte{}
	}
	return a.As4()
}
