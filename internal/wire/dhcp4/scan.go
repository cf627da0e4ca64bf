package dhcp4

import (
	"fmt"
)

// What option 52 says, bits (RFC 2132 section 9.3).
const (
	inFile  = 1
	inSName = 2
)

// leastSize is the IP datagram that every client takes (RFC 2131 section 2), in bytes.
const leastSize = 576

// Parse reads a packet. It accepts a missing End option, anything after it, and a length below
// 300 bytes (BOOTLAB section 3: EDK2's own DHCP sends 248). It refuses a header cut short, an
// option cut short and a hardware address longer than its field. A packet without the magic cookie
// is one of BOOTP: it has no options. After an error the View is empty.
func (v *View) Parse(b []byte) error {
	v.reset()
	if err := v.parse(b); err != nil {
		v.reset()
		return err
	}
	return nil
}

func (v *View) reset() {
	v.b, v.over, v.cookie = nil, 0, false
	clear(v.at[:])
	v.split, v.area = [4]uint64{}, [3][2]uint16{}
	v.joined = v.joined[:0]
}

func (v *View) parse(b []byte) error {
	if len(b) < headerLen {
		return fmt.Errorf("decode dhcp packet: %d bytes, the header has %d", len(b), headerLen)
	}
	if len(b) > maxPacket {
		return fmt.Errorf("decode dhcp packet: %d bytes, no datagram has more than %d", len(b), maxPacket)
	}
	v.b = b
	if len(b) < optionsAt || [4]byte(b[headerLen:optionsAt]) != magicCookie {
		if b[2] > chaddrLen { // not even BOOTP
			return fmt.Errorf("decode dhcp packet: %w", ErrNotDHCP)
		}
		return nil
	}
	v.cookie = true
	if b[2] > chaddrLen {
		return fmt.Errorf("decode dhcp packet: hardware address of %d bytes", b[2])
	}
	if err := v.scan(0, optionsAt, len(b)); err != nil {
		return fmt.Errorf("decode dhcp options: %w", err)
	}
	if !v.Has(Overload) {
		return nil
	}
	if over, ok := v.octet(Overload); ok && over <= inFile|inSName {
		v.over = over
	}
	// RFC 3396 section 5: parts are joined in the order options, file, sname.
	if v.over&inFile != 0 {
		if err := v.scan(1, fileAt, fileAt+fileLen); err != nil {
			return fmt.Errorf("decode dhcp options in the field file: %w", err)
		}
	}
	if v.over&inSName != 0 {
		if err := v.scan(2, snameAt, snameAt+snameLen); err != nil {
			return fmt.Errorf("decode dhcp options in the field sname: %w", err)
		}
	}
	v.at[Overload] = 0 // it is no option of the caller's; one inside a field means nothing
	return nil
}

// scan notes the options between two places, which are one area.
func (v *View) scan(area, from, to int) error {
	b, i := v.b[:to], from
	for i < len(b) {
		code := Code(b[i])
		if code == Pad {
			i++
			continue
		}
		if code == End {
			break
		}
		if i+1 >= len(b) {
			return fmt.Errorf("%s has no length", code)
		}
		n := int(b[i+1])
		i += 2
		if len(b)-i < n {
			return fmt.Errorf("%s says %d bytes, %d are left", code, n, len(b)-i)
		}
		if v.at[code] == 0 {
			v.at[code] = uint16(i)
		} else {
			v.split[code>>6] |= 1 << (code & 63)
		}
		i += n
	}
	v.area[area] = [2]uint16{uint16(from), uint16(i)}
	return nil
}

// parts yields what scan saw, in its order: an option in parts comes as often as it has any.
func (v *View) parts(yield func(c Code, data []byte) bool) {
	for _, a := range v.area {
		for i, end := int(a[0]), int(a[1]); i < end; {
			code := Code(v.b[i])
			if code == Pad {
				i++
				continue
			}
			next := i + 2 + int(v.b[i+1])
			if !yield(code, v.b[i+2:next:next]) {
				return
			}
			i = next
		}
	}
}
