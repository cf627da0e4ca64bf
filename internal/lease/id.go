package lease

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Kind says what an ID was made from.
type Kind uint8

// The kinds. The zero value is nobody.
const (
	KindNone     Kind = iota
	KindHardware      // hardware type and address: the default (Q5)
	KindClient        // option 61, where a scope asks for it (RFC 2132 9.14)
	KindDUID          // DHCPv6: DUID and IAID (RFC 8415 12)
)

// hashed in ID.Len marks a key that was longer than B and is kept as its hash.
const hashed = 0xff

// ID says whose a lease is. It is comparable and holds no pointer, so that it is a key of maps
// and costs no allocation.
//
// The default is the hardware address alone: firmware, iPXE, boot disk, Windows PE and the
// installed system send different options 61, and must get the same address all the same (Q5).
type ID struct {
	Kind       Kind
	HType, Len uint8
	B          [20]byte
}

// Hardware is the ID of a hardware address (RFC 2131 2: htype and chaddr).
func Hardware(htype uint8, chaddr []byte) ID {
	id := ID{Kind: KindHardware, HType: htype}
	id.fill(chaddr)
	return id
}

// Client is the ID of an option 61.
func Client(option61 []byte) ID {
	id := ID{Kind: KindClient}
	id.fill(option61)
	return id
}

// DUID is the ID of one identity association of a DHCPv6 client: the IAID, then the DUID.
func DUID(duid []byte, iaid uint32) ID {
	id := ID{Kind: KindDUID}
	var room [4 + 128]byte // RFC 8415 11.1: a DUID has at most 130 bytes, its type among them
	key := append(room[:0], byte(iaid>>24), byte(iaid>>16), byte(iaid>>8), byte(iaid))
	id.fill(append(key, duid...))
	return id
}

// Machine is the ID of a DHCPv6 client by its DUID alone, whichever of its associations asks: of a reservation.
func Machine(duid []byte) ID {
	id := ID{Kind: KindDUID, HType: wholeDUID}
	id.fill(duid)
	return id
}

// wholeDUID in ID.HType marks a DUID without an IAID.
const wholeDUID = 1

// fill takes the key, or its hash where it is too long: 160 bits of SHA-256, so that nobody can
// make two machines the same.
func (id *ID) fill(key []byte) {
	if len(key) > len(id.B) {
		sum := sha256.Sum256(key)
		copy(id.B[:], sum[:])
		id.Len = hashed
		return
	}
	id.Len = uint8(len(key))
	copy(id.B[:], key)
}

// IsZero reports whether it is nobody's.
func (id ID) IsZero() bool { return id.Kind == KindNone }

// key returns what was put in, or the hash of it.
func (id *ID) key() []byte { return id.B[:min(int(id.Len), len(id.B))] }

// String prints 52:54:00:00:00:01 for Ethernet, hw6:… for another hardware type, id:… for an
// option 61, duid:…/iaid for DHCPv6, machine:… for a DUID alone; a hashed key has a # before it.
func (id ID) String() string {
	mark := ""
	if id.Len == hashed {
		mark = "#"
	}
	key := id.key()
	switch id.Kind {
	case KindHardware:
		if id.HType == 1 && id.Len == 6 {
			return net.HardwareAddr(key).String()
		}
		return "hw" + strconv.Itoa(int(id.HType)) + ":" + mark + hex.EncodeToString(key)
	case KindClient:
		return "id:" + mark + hex.EncodeToString(key)
	case KindDUID:
		if id.HType == wholeDUID {
			return "machine:" + mark + hex.EncodeToString(key)
		}
		if id.Len == hashed || len(key) < 4 {
			return "duid:" + mark + hex.EncodeToString(key)
		}
		iaid := uint32(key[0])<<24 | uint32(key[1])<<16 | uint32(key[2])<<8 | uint32(key[3])
		return "duid:" + hex.EncodeToString(key[4:]) + "/" + strconv.FormatUint(uint64(iaid), 10)
	}
	return ""
}

// MarshalText makes an ID a JSON string.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(b []byte) error {
	v, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = v
	return nil
}

// ParseID reads what String wrote, and the usual spellings of a MAC address. "" is nobody.
func ParseID(s string) (ID, error) {
	bad := func() (ID, error) {
		return ID{}, fmt.Errorf("%q is not an identity of a client (a MAC address, id:HEX or duid:HEX/IAID)", s)
	}
	head, rest, found := strings.Cut(s, ":")
	switch {
	case s == "":
		return ID{}, nil
	case found && head == "id":
		return parseKey(ID{Kind: KindClient}, rest, bad)
	case found && head == "machine":
		return parseKey(ID{Kind: KindDUID, HType: wholeDUID}, rest, bad)
	case found && head == "duid":
		if strings.HasPrefix(rest, "#") {
			return parseKey(ID{Kind: KindDUID}, rest, bad)
		}
		duid, number, _ := strings.Cut(rest, "/")
		iaid, err := strconv.ParseUint(number, 10, 32)
		key, err2 := hex.DecodeString(duid)
		if err != nil || err2 != nil {
			return bad()
		}
		return DUID(key, uint32(iaid)), nil
	case found && strings.HasPrefix(head, "hw"):
		htype, err := strconv.ParseUint(head[2:], 10, 8)
		if err != nil {
			return bad()
		}
		return parseKey(ID{Kind: KindHardware, HType: uint8(htype)}, rest, bad)
	}
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != 6 {
		return bad()
	}
	return Hardware(1, hw), nil
}

// parseKey reads the hexadecimal part; with # it is the hash itself.
func parseKey(id ID, s string, bad func() (ID, error)) (ID, error) {
	digits, isHash := strings.CutPrefix(s, "#")
	key, err := hex.DecodeString(digits)
	if err != nil || isHash && len(key) != len(id.B) {
		return bad()
	}
	id.fill(key)
	if isHash {
		id.Len = hashed
	}
	return id, nil
}
