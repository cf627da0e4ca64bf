package frame

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"surefoot/internal/boot"
)

const (
	protoICMP   = 1
	icmpLen     = 8
	unreachable = 3 // the type (RFC 792)
)

// Unreachable is an ICMP message that a UDP datagram did not reach its destination (RFC 792).
type Unreachable struct {
	Code     uint8
	From     netip.Addr
	FromMAC  boot.MAC
	Src, Dst netip.AddrPort // of the datagram
}

// ParseUnreachable reads an Ethernet frame.
func ParseUnreachable(b []byte) (Unreachable, error) {
	other := func(what string) (Unreachable, error) {
		return Unreachable{}, fmt.Errorf("parse icmp: %s: %w", what, ErrOther)
	}
	if len(b) < etherLen+ipLen || binary.BigEndian.Uint16(b[12:]) != etherIPv4 {
		return other("not ipv4")
	}
	u := Unreachable{FromMAC: boot.MAC(b[6:12])}
	ip := b[etherLen:]
	hlen := int(ip[0]&15) * 4
	if ip[9] != protoICMP || hlen < ipLen || len(ip) < hlen+icmpLen || ip[hlen] != unreachable {
		return other("another message")
	}
	u.From, u.Code = netip.AddrFrom4([4]byte(ip[12:16])), ip[hlen+1]
	quote := ip[hlen+icmpLen:]
	if len(quote) < ipLen || quote[9] != protoUDP {
		return other("about no udp datagram")
	}
	hlen = int(quote[0]&15) * 4
	if hlen < ipLen || len(quote) < hlen+4 {
		return other("the quotation is cut short")
	}
	u.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(quote[12:16])), binary.BigEndian.Uint16(quote[hlen:]))
	u.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(quote[16:20])), binary.BigEndian.Uint16(quote[hlen+2:]))
	return u, nil
}
