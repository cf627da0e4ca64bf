package frame

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"surefoot/internal/boot"
)

const (
	etherARP = 0x0806
	arpLen   = 28
)

// ARP operations (RFC 826).
const (
	ARPRequest uint16 = 1
	ARPReply   uint16 = 2
)

// ARP is an ARP packet for IPv4 over Ethernet. The zero value of an address stands for 0.0.0.0.
type ARP struct {
	Op                   uint16
	SenderMAC, TargetMAC boot.MAC
	Sender, Target       netip.Addr
}

// AppendProbe writes, at the end of b, the frame that asks whether somebody has an address, without saying
// that the sender has one (RFC 5227 section 2.1.1).
func AppendProbe(b []byte, own boot.MAC, target netip.Addr) []byte {
	return ARP{Op: ARPRequest, SenderMAC: own, Target: target}.Append(b, Broadcast)
}

// Append writes the packet as a frame to a machine.
func (a ARP) Append(b []byte, to boot.MAC) []byte {
	b = append(b, to[:]...)
	b = append(b, a.SenderMAC[:]...)
	b = append(b, etherARP>>8, etherARP&0xff, 0, 1, etherIPv4>>8, etherIPv4&0xff, 6, 4)
	b = binary.BigEndian.AppendUint16(b, a.Op)
	sender, target := as4(a.Sender), as4(a.Target)
	b = append(append(b, a.SenderMAC[:]...), sender[:]...)
	return append(append(b, a.TargetMAC[:]...), target[:]...)
}

// ParseARP reads a frame.
func ParseARP(b []byte) (ARP, error) {
	if len(b) < etherLen+arpLen || binary.BigEndian.Uint16(b[12:]) != etherARP {
		return ARP{}, fmt.Errorf("parse arp: %d bytes, or another protocol: %w", len(b), ErrOther)
	}
	b = b[etherLen:]
	if [6]byte(b) != [6]byte{0, 1, etherIPv4 >> 8, etherIPv4 & 0xff, 6, 4} {
		return ARP{}, fmt.Errorf("parse arp: not for ipv4 over ethernet: %w", ErrOther)
	}
	return ARP{
		Op:        binary.BigEndian.Uint16(b[6:]),
		SenderMAC: boot.MAC(b[8:14]), Sender: netip.AddrFrom4([4]byte(b[14:18])),
		TargetMAC: boot.MAC(b[18:24]), Target: netip.AddrFrom4([4]byte(b[24:28])),
	}, nil
}
