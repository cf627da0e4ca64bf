package boot

import (
	"fmt"
	"net"
)

// MAC is an Ethernet hardware address as a comparable value, so that it can be a map key and
// never aliases a packet buffer. The zero value means "not known".
type MAC [6]byte

// ParseMAC reads the usual spellings (colons, dashes, dots).
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != 6 {
		return MAC{}, fmt.Errorf("%q is not a MAC address (six hexadecimal pairs, as in 52:54:00:12:34:56)", s)
	}
	return MAC(hw), nil
}

// String prints aa:bb:cc:dd:ee:ff, or "" for the zero value.
func (m MAC) String() string {
	if m.IsZero() {
		return ""
	}
	return net.HardwareAddr(m[:]).String()
}

// Uint64 is the address as a number.
func (m MAC) Uint64() uint64 {
	return uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
}

// begins reports whether the address, written down, begins with one of the texts.
func (m MAC) begins(prefixes []string) bool {
	if m.IsZero() {
		return false
	}
	const digits = "0123456789abcdef"
	var text [17]byte
	for i, b := range m {
		text[3*i], text[3*i+1] = digits[b>>4], digits[b&15]
		if i < 5 {
			text[3*i+2] = ':'
		}
	}
	for _, p := range prefixes {
		if len(p) <= len(text) && string(text[:len(p)]) == p {
			return true
		}
	}
	return false
}

// IsZero reports whether the address is not known.
func (m MAC) IsZero() bool { return m == MAC{} }

// HardwareAddr returns a fresh copy in the standard library's form.
func (m MAC) HardwareAddr() net.HardwareAddr { return append(net.HardwareAddr(nil), m[:]...) }

// MarshalText makes a MAC a JSON string (and a JSON map key).
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (m *MAC) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*m = MAC{}
		return nil
	}
	v, err := ParseMAC(string(b))
	if err != nil {
		return err
	}
	*m = v
	return nil
}
