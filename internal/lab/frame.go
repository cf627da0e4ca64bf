package lab

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// UDP is the datagram of a frame.
type UDP struct {
	Src, Dst netip.AddrPort
	Payload  []byte
}

// UDP returns the IPv4 UDP datagram that the frame holds; false for anything else, and for
// fragments after the first.
func (f Frame) UDP() (UDP, bool) {
	b := f.Bytes
	if len(b) < 14+20+8 || binary.BigEndian.Uint16(b[12:]) != 0x0800 {
		return UDP{}, false
	}
	ip := b[14:]
	size := int(ip[0]&15) * 4
	if ip[0]>>4 != 4 || size < 20 || ip[9] != 17 || len(ip) < size+8 || binary.BigEndian.Uint16(ip[6:])&0x1fff != 0 {
		return UDP{}, false
	}
	u := ip[size:]
	end := max(8, min(len(u), int(binary.BigEndian.Uint16(u[4:]))))
	port := func(addr, at []byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(addr)), binary.BigEndian.Uint16(at))
	}
	return UDP{Src: port(ip[12:16], u), Dst: port(ip[16:20], u[2:]), Payload: u[8:end]}, true
}

// DHCPType returns the DHCP message type of a BOOTP datagram (option 53 of RFC 2132 9.6), with
// its direction, and the address that it gives away; false for anything else.
func (u UDP) DHCPType() (kind byte, reply bool, yiaddr netip.Addr, ok bool) {
	p := u.Payload
	if len(p) < 241 || binary.BigEndian.Uint32(p[236:]) != 0x63825363 {
		return 0, false, netip.Addr{}, false
	}
	for o := p[240:]; len(o) >= 2 && o[0] != 255; {
		if o[0] == 0 {
			o = o[1:]
			continue
		}
		n := int(o[1])
		if len(o) < 2+n {
			break
		}
		if o[0] == 53 && n == 1 {
			return o[2], p[0] == 2, netip.AddrFrom4([4]byte(p[16:20])), true
		}
		o = o[2+n:]
	}
	return 0, false, netip.Addr{}, false
}

// DHCP message types that scenarios look for.
const (
	DHCPOffer   = 2
	DHCPRequest = 3
)

// IsProxyOffer reports whether the datagram is an offer that gives no address away: what a
// ProxyDHCP server sends.
func (u UDP) IsProxyOffer() bool {
	kind, reply, yiaddr, ok := u.DHCPType()
	return ok && reply && kind == DHCPOffer && yiaddr.IsUnspecified()
}

// OfMachine reports whether a DHCP packet is to or from a machine of the lab, and not a node's own test.
func (u UDP) OfMachine() bool {
	return len(u.Payload) > 34 && bytes.HasPrefix(u.Payload[28:], []byte{0x52, 0x54, 0x00})
}

// IsDHCPRequest reports whether the datagram is a client's request for an address that it was
// offered: it has chosen.
func (u UDP) IsDHCPRequest() bool {
	kind, reply, _, ok := u.DHCPType()
	return ok && !reply && kind == DHCPRequest && u.Dst.Port() == 67
}

// IsReadRequest reports whether the datagram asks for a file by TFTP (RFC 1350).
func (u UDP) IsReadRequest() bool {
	return u.Dst.Port() == 69 && len(u.Payload) > 2 && u.Payload[0] == 0 && u.Payload[1] == 1
}
