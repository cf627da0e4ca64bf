package dhcp4

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Has reports whether the option is there, be it without a value.
func (v *View) Has(c Code) bool { return v.at[c] != 0 }

// Get returns the value of an option, its parts joined (RFC 3396). The caller must not change it.
func (v *View) Get(c Code) (data []byte, ok bool) {
	i := int(v.at[c])
	if i == 0 {
		return nil, false
	}
	if v.split[c>>6]&(1<<(c&63)) != 0 {
		return v.join(c), true
	}
	end := i + int(v.b[i-1])
	return v.b[i:end:end], true
}

// octet returns the value of an option of one byte; ok is false if it is missing or malformed.
func (v *View) octet(c Code) (n uint8, ok bool) {
	if b, _ := v.Get(c); len(b) == 1 {
		return b[0], true
	}
	return 0, false
}

// Uint16 returns the value of an option of two bytes.
func (v *View) Uint16(c Code) (n uint16, ok bool) {
	if b, _ := v.Get(c); len(b) == 2 {
		return binary.BigEndian.Uint16(b), true
	}
	return 0, false
}

// Uint32 returns the value of an option of four bytes.
func (v *View) Uint32(c Code) (n uint32, ok bool) {
	if b, _ := v.Get(c); len(b) == 4 {
		return binary.BigEndian.Uint32(b), true
	}
	return 0, false
}

// Addr returns the value of an option that holds one IPv4 address; the zero value if it is
// missing, malformed or 0.0.0.0.
func (v *View) Addr(c Code) netip.Addr {
	if b, _ := v.Get(c); len(b) == 4 {
		return addrOf(b)
	}
	return netip.Addr{}
}

// Text returns the value of a text option without the NULs at its end (RFC 2132 section 2).
func (v *View) Text(c Code) []byte {
	b, _ := v.Get(c)
	return bytes.TrimRight(b, "\x00")
}

// Type returns the message type of option 53, or 0 if there is none or it is malformed.
func (v *View) Type() MessageType {
	t, _ := v.octet(MessageTypeOption)
	return MessageType(t)
}

// ParameterList returns the codes that the client asks for, in its order of preference.
func (v *View) ParameterList() []byte {
	b, _ := v.Get(ParameterList)
	return b
}

// Asks reports whether the client asks for an option.
func (v *View) Asks(c Code) bool { return bytes.IndexByte(v.ParameterList(), byte(c)) >= 0 }

// MaxSize is as Packet.MaxSize.
func (v *View) MaxSize() int {
	n, _ := v.Uint16(MaxMessageSize)
	return max(leastSize, int(n))
}

// Each calls f for every option once, in the order in which they begin on the wire, until it
// returns false.
func (v *View) Each(f func(c Code, data []byte) bool) {
	var seen [4]uint64
	for c := range v.parts {
		if seen[c>>6]&(1<<(c&63)) != 0 {
			continue
		}
		seen[c>>6] |= 1 << (c & 63)
		if data, ok := v.Get(c); ok && !f(c, data) {
			return
		}
	}
}

// join puts the parts of an option together, in room that is kept until the next Parse.
func (v *View) join(c Code) []byte {
	from := len(v.joined)
	for code, part := range v.parts {
		if code == c {
			v.joined = append(v.joined, part...)
		}
	}
	return v.joined[from:len(v.joined):len(v.joined)]
}
