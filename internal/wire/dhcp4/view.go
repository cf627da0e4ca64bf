package dhcp4

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"surefoot/internal/boot"
)

// View reads a packet where it lies: Parse only notes where each option is. It points into the
// bytes that Parse was given, and so does everything that its methods return: neither may be used
// once the buffer is filled again. A View is reused for one packet after another and then allocates
// nothing; the zero value is an empty one.
type View struct {
	b      []byte       // the packet, nil if there is none
	split  [4]uint64    // which codes came in parts (RFC 3396), a bit each
	at     [256]uint16  // where the value of a code begins, behind its length; 0 if it is not there
	area   [3][2]uint16 // what carries options: the options themselves, file, sname, in this order
	joined []byte       // room for values that are put together
	over   uint8        // what option 52 said, 0 if nothing
	cookie bool
}

// Len returns how long the packet is, in bytes.
func (v *View) Len() int { return len(v.b) }

// Bytes returns the packet.
func (v *View) Bytes() []byte { return v.b }

// Op is OpRequest or OpReply.
func (v *View) Op() uint8 { return v.b[0] }

// HType is the kind of the client's hardware address.
func (v *View) HType() uint8 { return v.b[1] }

// HLen is the length of the client's hardware address, at most 16.
func (v *View) HLen() uint8 { return v.b[2] }

// Hops is how many relays the packet went through.
func (v *View) Hops() uint8 { return v.b[3] }

// XID is the number of the exchange.
func (v *View) XID() uint32 { return binary.BigEndian.Uint32(v.b[4:]) }

// Secs is what the client says of the time that it has been trying for. Nothing may depend on it:
// clients keep other things in it (DHCP Q1).
func (v *View) Secs() uint16 { return binary.BigEndian.Uint16(v.b[8:]) }

// Flags is the field flags.
func (v *View) Flags() uint16 { return binary.BigEndian.Uint16(v.b[10:]) }

// Broadcast reports whether the client asks for replies by broadcast.
func (v *View) Broadcast() bool { return v.Flags()&FlagBroadcast != 0 }

// CIAddr is the address that the client has, the zero value for 0.0.0.0.
func (v *View) CIAddr() netip.Addr { return addrOf(v.b[12:16]) }

// YIAddr is the address that the client gets, the zero value for 0.0.0.0.
func (v *View) YIAddr() netip.Addr { return addrOf(v.b[16:20]) }

// SIAddr is the address of the boot server, the zero value for 0.0.0.0.
func (v *View) SIAddr() netip.Addr { return addrOf(v.b[20:24]) }

// GIAddr is the address of the relay, the zero value for 0.0.0.0.
func (v *View) GIAddr() netip.Addr { return addrOf(v.b[24:28]) }

// CHAddr is the client's hardware address, HLen bytes.
func (v *View) CHAddr() []byte { return v.b[28 : 28+int(v.b[2])] }

// MAC returns the client's Ethernet address; ok is false as with Packet.MAC.
func (v *View) MAC() (mac boot.MAC, ok bool) {
	if v.HType() != HTypeEthernet || v.HLen() != 6 {
		return boot.MAC{}, false
	}
	mac = boot.MAC(v.b[28:34])
	return mac, !mac.IsZero() && mac[0]&1 == 0
}

// SName is the field sname up to its first NUL, empty if it carries options.
func (v *View) SName() []byte {
	if v.over&inSName != 0 {
		return nil
	}
	return untilNUL(v.b[snameAt : snameAt+snameLen])
}

// File is the field file up to its first NUL, empty if it carries options.
func (v *View) File() []byte {
	if v.over&inFile != 0 {
		return nil
	}
	return untilNUL(v.b[fileAt : fileAt+fileLen])
}

// BOOTP reports whether the packet is one of BOOTP, whose clients know no message types: a packet
// of DHCP has option 53 (RFC 1534 section 2). The options of RFC 1497 may be there all the same.
func (v *View) BOOTP() bool { return !v.Has(MessageTypeOption) }

// Cookie reports whether the packet has DHCP's magic cookie. Without it there are no options.
func (v *View) Cookie() bool { return v.cookie }

func untilNUL(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
