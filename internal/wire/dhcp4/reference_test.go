package dhcp4

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// referenceDecode is a second reading of packets, apart from View: copying where that indexes. It accepts a missing End option, anything after it, and a length below
// 300 bytes (BOOTLAB section 3: EDK2's own DHCP sends 248). It refuses a header cut short, an
// option cut short and a hardware address longer than its field.
func referenceDecode(b []byte) (*Packet, error) {
	if len(b) < headerLen {
		return nil, fmt.Errorf("decode dhcp packet: %d bytes, the header has %d", len(b), headerLen)
	}
	if len(b) < optionsAt || [4]byte(b[headerLen:optionsAt]) != magicCookie {
		return nil, fmt.Errorf("decode dhcp packet: %w", ErrNotDHCP)
	}
	p := &Packet{
		Op: b[0], HType: b[1], HLen: b[2], Hops: b[3],
		XID:  binary.BigEndian.Uint32(b[4:]),
		Secs: binary.BigEndian.Uint16(b[8:]), Flags: binary.BigEndian.Uint16(b[10:]),
		CIAddr: addrOf(b[12:16]), YIAddr: addrOf(b[16:20]),
		SIAddr: addrOf(b[20:24]), GIAddr: addrOf(b[24:28]),
		CHAddr: [16]byte(b[28:44]),
	}
	if int(p.HLen) > len(p.CHAddr) {
		return nil, fmt.Errorf("decode dhcp packet: hardware address of %d bytes", p.HLen)
	}
	if err := p.referenceOptions(b[optionsAt:]); err != nil {
		return nil, fmt.Errorf("decode dhcp options: %w", err)
	}
	overload, _ := p.Get(Overload)
	p.Del(Overload)
	inFile, inSName := false, false
	if len(overload) == 1 {
		inFile, inSName = overload[0] == 1 || overload[0] == 3, overload[0] == 2 || overload[0] == 3
	}
	file, sname := b[fileAt:fileAt+fileLen], b[snameAt:snameAt+snameLen]
	// RFC 3396 section 5: parts are joined in the order options, file, sname.
	if inFile {
		if err := p.referenceOptions(file); err != nil {
			return nil, fmt.Errorf("decode dhcp options in the field file: %w", err)
		}
	} else {
		p.File = cString(file)
	}
	if inSName {
		if err := p.referenceOptions(sname); err != nil {
			return nil, fmt.Errorf("decode dhcp options in the field sname: %w", err)
		}
	} else {
		p.SName = cString(sname)
	}
	p.Del(Overload) // one inside an overloaded field means nothing
	return p, nil
}

func (p *Packet) referenceOptions(b []byte) error {
	for len(b) > 0 {
		code := Code(b[0])
		switch code {
		case Pad:
			b = b[1:]
			continue
		case End:
			return nil
		}
		if len(b) < 2 {
			return fmt.Errorf("%s has no length", code)
		}
		n := int(b[1])
		if len(b) < 2+n {
			return fmt.Errorf("%s says %d bytes, %d are left", code, n, len(b)-2)
		}
		value := b[2 : 2+n]
		b = b[2+n:]
		if i := p.index(code); i >= 0 {
			p.Options[i].Data = append(p.Options[i].Data, value...)
			continue
		}
		p.Options = append(p.Options, Option{Code: code, Data: append([]byte{}, value...)})
	}
	return nil
}

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
