package boot

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// UUID is a machine's SMBIOS UUID in the order in which option 97 carries it: the first three
// fields little-endian. String prints the usual order, the one iPXE's ${uuid} shows. The zero
// value means "not sent".
type UUID [16]byte

// swapped is the permutation between the SMBIOS order and the printed order; it is its own inverse.
var swapped = [16]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}

// ParseUUID reads the printed form.
func ParseUUID(s string) (UUID, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		return UUID{}, fmt.Errorf("%q is not a UUID (as in 11223344-5566-7788-99aa-bbccddeeff00)", s)
	}
	var u UUID
	for i, j := range swapped {
		u[j] = b[i]
	}
	return u, nil
}

// Swapped is the UUID of bytes that came in the printed order.
func (u UUID) Swapped() UUID {
	var out UUID
	for i, j := range swapped {
		out[j] = u[i]
	}
	return out
}

// IsZero reports whether the client sent none.
func (u UUID) IsZero() bool { return u == UUID{} }

// String prints 11223344-5566-7788-99aa-bbccddeeff00, or "" for the zero value.
func (u UUID) String() string {
	if u.IsZero() {
		return ""
	}
	var b [16]byte
	for i, j := range swapped {
		b[i] = u[j]
	}
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// MarshalText makes a UUID a JSON string.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (u *UUID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*u = UUID{}
		return nil
	}
	v, err := ParseUUID(string(b))
	if err != nil {
		return err
	}
	*u = v
	return nil
}
