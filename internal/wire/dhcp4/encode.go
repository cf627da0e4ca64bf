package dhcp4

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrTooLarge says that a packet exceeds what the client takes.
var ErrTooLarge = errors.New("larger than the client takes")

// MaxSName and MaxFile are the longest texts that the fields hold with their NUL, in bytes.
const (
	MaxSName = snameLen - 1
	MaxFile  = fileLen - 1
)

// Encode writes the packet: option 53 first and 82 last (RFC 3046 section 2.2), the others in
// their order, values of more than 255 bytes in parts (RFC 3396), an End option, and zeros up to
// 300 bytes. It never uses option overload. limit is the most that the packet may have without
// IP and UDP headers, 0 for no limit; more is ErrTooLarge.
func (p *Packet) Encode(limit int) ([]byte, error) {
	if len(p.SName) > MaxSName {
		return nil, fmt.Errorf("encode dhcp packet: sname of %d bytes, %d fit", len(p.SName), MaxSName)
	}
	if len(p.File) > MaxFile {
		return nil, fmt.Errorf("encode dhcp packet: file of %d bytes, %d fit", len(p.File), MaxFile)
	}
	b := make([]byte, optionsAt, max(minLen, p.size()))
	b[0], b[1], b[2], b[3] = p.Op, p.HType, p.HLen, p.Hops
	binary.BigEndian.PutUint32(b[4:], p.XID)
	binary.BigEndian.PutUint16(b[8:], p.Secs)
	binary.BigEndian.PutUint16(b[10:], p.Flags)
	for i, a := range []([4]byte){addrBytes(p.CIAddr), addrBytes(p.YIAddr), addrBytes(p.SIAddr), addrBytes(p.GIAddr)} {
		copy(b[12+4*i:], a[:])
	}
	copy(b[28:], p.CHAddr[:])
	copy(b[snameAt:], p.SName)
	copy(b[fileAt:], p.File)
	copy(b[headerLen:], magicCookie[:])
	for _, o := range p.inOrder() {
		if o.Code == Pad || o.Code == End || o.Code == Overload {
			return nil, fmt.Errorf("encode dhcp packet: %s is not for callers to set", o.Code)
		}
		b = appendValue(b, o.Code, o.Data)
	}
	b = append(b, byte(End))
	if limit > 0 && len(b) > limit {
		return nil, fmt.Errorf("encode dhcp packet: %d bytes, at most %d: %w", len(b), limit, ErrTooLarge)
	}
	for len(b) < minLen {
		b = append(b, 0)
	}
	return b, nil
}

// inOrder returns the options as they go on the wire.
func (p *Packet) inOrder() []Option {
	out := make([]Option, 0, len(p.Options))
	for _, want := range []func(Code) bool{
		func(c Code) bool { return c == MessageTypeOption },
		func(c Code) bool { return c != MessageTypeOption && c != RelayAgentInfo },
		func(c Code) bool { return c == RelayAgentInfo },
	} {
		for _, o := range p.Options {
			if want(o.Code) {
				out = append(out, o)
			}
		}
	}
	return out
}

// appendValue writes an option, in parts where one cannot hold the value.
func appendValue(b []byte, c Code, data []byte) []byte {
	for {
		n := min(len(data), 255)
		b = append(b, byte(c), byte(n))
		b = append(b, data[:n]...)
		data = data[n:]
		if len(data) == 0 {
			return b
		}
	}
}

// size returns the length of the encoded packet before padding.
func (p *Packet) size() int {
	n := optionsAt + 1
	for _, o := range p.Options {
		n += encodedLen(len(o.Data))
	}
	return n
}

// encodedLen is what an option with a value of n bytes takes, in parts if it has to.
func encodedLen(n int) int { return n + 2*max(1, (n+254)/255) }
