package dhcp6

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"surefoot/internal/boot"
)

// DUID is a client's or server's name for itself (RFC 8415 section 11).
type DUID []byte

// The types of DUIDs.
const (
	DUIDLLT  = 1 // hardware address and time
	DUIDEN   = 2 // a number of an enterprise
	DUIDLL   = 3 // hardware address
	DUIDUUID = 4 // RFC 6355
)

// The lengths of a DUID with its type (RFC 8415 section 11.1).
const (
	minDUID = 3
	maxDUID = 130
)

const hwEthernet = 1

// Valid reports whether it is as long as a DUID may be.
func (d DUID) Valid() bool { return len(d) >= minDUID && len(d) <= maxDUID }

// Type is its type, 0 for what is too short to have one.
func (d DUID) Type() uint16 {
	if len(d) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(d)
}

// MAC returns the Ethernet address that it was made from, of one of the machine's interfaces.
func (d DUID) MAC() (mac boot.MAC, ok bool) {
	at := 0
	switch d.Type() {
	case DUIDLLT:
		at = 8
	case DUIDLL:
		at = 4
	}
	if at == 0 || len(d) != at+len(mac) || binary.BigEndian.Uint16(d[2:]) != hwEthernet {
		return boot.MAC{}, false
	}
	return GoodMAC(d[at:])
}

// GoodMAC reads an Ethernet address; ok is false for what cannot be one machine's.
func GoodMAC(b []byte) (mac boot.MAC, ok bool) {
	if len(b) != len(mac) {
		return boot.MAC{}, false
	}
	mac = boot.MAC(b)
	if mac.IsZero() || mac[0]&1 != 0 {
		return boot.MAC{}, false
	}
	return mac, true
}

// UUID returns the UUID that it is, in the order in which it was sent.
func (d DUID) UUID() (b [16]byte, ok bool) {
	if d.Type() != DUIDUUID || len(d) != 18 {
		return b, false
	}
	return [16]byte(d[2:]), true
}

// LL makes a DUID of an Ethernet address (RFC 8415 section 11.4).
func LL(mac boot.MAC) DUID {
	return append(DUID{0, DUIDLL, 0, hwEthernet}, mac[:]...)
}

// OfUUID makes a DUID of a UUID (RFC 6355).
func OfUUID(u [16]byte) DUID { return append(DUID{0, DUIDUUID}, u[:]...) }

// String prints it in hexadecimal.
func (d DUID) String() string { return hex.EncodeToString(d) }

// ParseDUID reads what String wrote.
func ParseDUID(s string) (DUID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || !DUID(b).Valid() {
		return nil, fmt.Errorf("%q is not a DUID (%d to %d bytes in hexadecimal)", s, minDUID, maxDUID)
	}
	return b, nil
}
