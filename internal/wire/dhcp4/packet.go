// Package dhcp4 is the DHCPv4 packet as bytes and as a value (RFC 2131, RFC 2132, long options
// by RFC 3396). It is strict about structure and tolerant of what firmware really sends: a
// missing End option, a packet shorter than 300 bytes, options in the fields file and sname.
// What it writes is under the caller's control to the byte: the order of options, what is
// terminated by NUL, what is padded.
//
// It is not a server and not a client: no sockets, no clock, no leases. What PXE puts inside
// option 43 and its neighbours is known to wire/pxe.
package dhcp4

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"

	"surefoot/internal/boot"
)

// Values of Packet.Op.
const (
	OpRequest uint8 = 1 // from a client
	OpReply   uint8 = 2 // from a server
)

// HTypeEthernet is the hardware type that goes with a MAC of six bytes.
const HTypeEthernet uint8 = 1

// FlagBroadcast is the one flag that RFC 2131 section 2 defines: the client cannot receive
// unicast before it has an address.
const FlagBroadcast uint16 = 0x8000

// The ports of the protocols (RFC 2131 section 4.1; PXE 2.1 section 2.2).
const (
	ServerPort uint16 = 67
	ClientPort uint16 = 68
	PXEPort    uint16 = 4011
)

// Packet is a DHCP message. It owns its bytes: nothing in it points into a receive buffer.
type Packet struct {
	Op, HType, HLen, Hops uint8
	XID                   uint32
	Secs, Flags           uint16
	CIAddr, YIAddr        netip.Addr // the zero value stands for 0.0.0.0
	SIAddr, GIAddr        netip.Addr
	CHAddr                [16]byte
	SName, File           string // up to the first NUL; empty where the field carried options (52)
	Options               []Option
}

// Option is one option. Each code occurs once: parts are joined as RFC 3396 asks.
type Option struct {
	Code Code
	Data []byte
}

// MAC returns the client's Ethernet address; ok is false if it has another kind of address, or
// one that no machine can have (zero, or a group address).
func (p *Packet) MAC() (mac boot.MAC, ok bool) {
	if p.HType != HTypeEthernet || p.HLen != 6 {
		return boot.MAC{}, false
	}
	mac = boot.MAC(p.CHAddr[:6])
	return mac, !mac.IsZero() && mac[0]&1 == 0
}

// SetMAC makes the client's hardware address an Ethernet address.
func (p *Packet) SetMAC(m boot.MAC) {
	p.HType, p.HLen, p.CHAddr = HTypeEthernet, 6, [16]byte{}
	copy(p.CHAddr[:], m[:])
}

// Broadcast reports whether the client asks for replies by broadcast.
func (p *Packet) Broadcast() bool { return p.Flags&FlagBroadcast != 0 }

// Get returns the value of an option. The caller must not change it.
func (p *Packet) Get(c Code) (data []byte, ok bool) {
	i := p.index(c)
	if i < 0 {
		return nil, false
	}
	return p.Options[i].Data, true
}

// Set replaces an option in its place, or adds it at the end.
func (p *Packet) Set(c Code, data []byte) {
	o := Option{Code: c, Data: append([]byte{}, data...)}
	if i := p.index(c); i >= 0 {
		p.Options[i] = o
		return
	}
	p.Options = append(p.Options, o)
}

// Del removes an option if it is there.
func (p *Packet) Del(c Code) {
	p.Options = slices.DeleteFunc(p.Options, func(o Option) bool { return o.Code == c })
}

func (p *Packet) index(c Code) int {
	return slices.IndexFunc(p.Options, func(o Option) bool { return o.Code == c })
}

// Type returns the message type of option 53, or 0 if there is none or it is malformed.
func (p *Packet) Type() MessageType {
	if b, ok := p.Get(MessageTypeOption); ok && len(b) == 1 {
		return MessageType(b[0])
	}
	return 0
}

// SetType writes option 53.
func (p *Packet) SetType(t MessageType) { p.Set(MessageTypeOption, []byte{byte(t)}) }

// Addr returns the value of an option that holds one IPv4 address; the zero value if it is
// missing, malformed or 0.0.0.0.
func (p *Packet) Addr(c Code) netip.Addr {
	if b, ok := p.Get(c); ok && len(b) == 4 {
		return addrOf(b)
	}
	return netip.Addr{}
}

// SetAddr writes an option that holds one IPv4 address.
func (p *Packet) SetAddr(c Code, a netip.Addr) {
	b := addrBytes(a)
	p.Set(c, b[:])
}

// Text returns the value of a text option without the NULs at its end, which RFC 2132
// section 2 tells receivers to expect.
func (p *Packet) Text(c Code) string {
	b, _ := p.Get(c)
	return string(bytes.TrimRight(b, "\x00"))
}

// SetText writes a text option without a NUL.
func (p *Packet) SetText(c Code, s string) { p.Set(c, []byte(s)) }

// SetBootFile writes option 67 with a NUL at its end: EDK2 writes one there by force, over the
// next option's code if the value brings none (F4).
func (p *Packet) SetBootFile(name string) { p.Set(BootFileName, append([]byte(name), 0)) }

// MaxSize returns how many bytes of IP datagram the client takes (option 57), never less than
// the 576 that every host must take (RFC 2131 section 2).
func (p *Packet) MaxSize() int {
	if b, ok := p.Get(MaxMessageSize); ok && len(b) == 2 {
		return max(leastSize, int(binary.BigEndian.Uint16(b)))
	}
	return leastSize
}

func addrOf(b []byte) netip.Addr {
	a := netip.AddrFrom4([4]byte(b))
	if a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

func addrBytes(a netip.Addr) [4]byte {
	if !a.Is4() && !a.Is4In6() {
		return [4]byte{}
	}
	return a.As4()
}
