package dhcp6

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
)

// Options are the options of a message, of a relay's or of an IA, as they lie in the packet.
type Options []byte

// check reports whether they fill their bytes exactly.
func (o Options) check() error {
	for b := []byte(o); len(b) > 0; {
		if len(b) < 4 {
			return fmt.Errorf("%d bytes behind the last option", len(b))
		}
		n := int(binary.BigEndian.Uint16(b[2:]))
		if len(b)-4 < n {
			return fmt.Errorf("%s says %d bytes, %d are left", Code(binary.BigEndian.Uint16(b)), n, len(b)-4)
		}
		b = b[4+n:]
	}
	return nil
}

// All yields the options in their order. Those of a packet that was refused are yielded as far as they are whole.
func (o Options) All() iter.Seq2[Code, []byte] {
	return func(yield func(Code, []byte) bool) {
		for b := []byte(o); len(b) >= 4; {
			n := 4 + int(binary.BigEndian.Uint16(b[2:]))
			if len(b) < n || !yield(Code(binary.BigEndian.Uint16(b)), b[4:n:n]) {
				return
			}
			b = b[n:]
		}
	}
}

// Get returns the first option of a code.
func (o Options) Get(code Code) ([]byte, bool) {
	for c, data := range o.All() {
		if c == code {
			return data, true
		}
	}
	return nil, false
}

// Has reports whether there is an option of a code.
func (o Options) Has(code Code) bool {
	_, ok := o.Get(code)
	return ok
}

// Asks reports whether the option request names a code (RFC 8415 section 21.7).
func (o Options) Asks(code Code) bool {
	b, _ := o.Get(OptionRequest)
	return names(b, code)
}

// names reports whether a list of 16-bit codes has one.
func names(b []byte, code Code) bool {
	for ; len(b) >= 2; b = b[2:] {
		if Code(binary.BigEndian.Uint16(b)) == code {
			return true
		}
	}
	return false
}

// Status returns the status code and its text; without the option it is Success (RFC 8415 section 21.13).
func (o Options) Status() (Status, string) {
	b, _ := o.Get(StatusCode)
	if len(b) < 2 {
		return Success, ""
	}
	return Status(binary.BigEndian.Uint16(b)), string(b[2:])
}

// Archs returns the architectures that the client can start, the first its own (RFC 5970 section 3.3).
func (o Options) Archs() iter.Seq[uint16] {
	return func(yield func(uint16) bool) {
		b, _ := o.Get(ClientArch)
		for ; len(b) >= 2 && yield(binary.BigEndian.Uint16(b)); b = b[2:] {
		}
	}
}

// Vendor returns the first text of the vendor class of an enterprise (RFC 8415 section 21.16).
func (o Options) Vendor(enterprise uint32) ([]byte, bool) {
	for c, b := range o.All() {
		if c == VendorClass && len(b) >= 4 && binary.BigEndian.Uint32(b) == enterprise {
			return first(b[4:])
		}
	}
	return nil, false
}

// User returns the first user class (RFC 8415 section 21.15).
func (o Options) User() ([]byte, bool) {
	b, ok := o.Get(UserClass)
	if !ok {
		return nil, false
	}
	return first(b)
}

// first returns the first of texts that have two bytes of length before them.
func first(b []byte) ([]byte, bool) {
	if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
		return nil, false
	}
	return b[2 : 2+int(binary.BigEndian.Uint16(b))], true
}

// IA is an identity association: addresses that a client wants for one purpose (RFC 8415 sections 21.4 to 21.6 and
// RFC 8415 section 21.21).
type IA struct {
	Code    Code // IANA, IATA or IAPD
	IAID    uint32
	T1, T2  uint32 // seconds; IATA has none
	Options Options
}

// IAs yields the identity associations that are whole; Parse refuses others.
func (o Options) IAs() iter.Seq[IA] {
	return func(yield func(IA) bool) {
		for c, b := range o.All() {
			if ia, ok := parseIA(c, b); ok && !yield(ia) {
				return
			}
		}
	}
}

func parseIA(c Code, b []byte) (IA, bool) {
	switch {
	case (c == IANA || c == IAPD) && len(b) >= 12:
		return IA{c, binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), b[12:]}, true
	case c == IATA && len(b) >= 4:
		return IA{Code: c, IAID: binary.BigEndian.Uint32(b), Options: b[4:]}, true
	}
	return IA{}, false
}

// Address is an address in an identity association (RFC 8415 section 21.6).
type Address struct {
	Addr             netip.Addr
	Preferred, Valid uint32 // seconds
	Options          Options
}

// Addresses yields the addresses of an identity association.
func (ia IA) Addresses() iter.Seq[Address] {
	return func(yield func(Address) bool) {
		for c, b := range ia.Options.All() {
			if c != IAAddress || len(b) < 24 {
				continue
			}
			a := Address{netip.AddrFrom16([16]byte(b)), binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:]), b[24:]}
			if !yield(a) {
				return
			}
		}
	}
}

// Addr is its first address, the zero value without one.
func (ia IA) Addr() netip.Addr {
	for a := range ia.Addresses() {
		return a.Addr
	}
	return netip.Addr{}
}
