package dhcp4

import (
	"errors"
	"fmt"
)

const (
	headerLen = 236
	chaddrLen = 16
	snameAt   = 44
	snameLen  = 64
	fileAt    = 108
	fileLen   = 128
	optionsAt = headerLen + 4
	minLen    = 300 // RFC 1542 section 2.1: some relays and ROMs drop less
	maxPacket = 65507
)

var magicCookie = [4]byte{99, 130, 83, 99} // RFC 2131 section 3

// ErrNotDHCP marks a BOOTP packet: its vendor area does not begin with DHCP's magic cookie.
var ErrNotDHCP = errors.New("no dhcp magic cookie")

// Decode reads a packet as View.Parse does, and refuses one of BOOTP that has no options.
func Decode(b []byte) (*Packet, error) {
	var v View
	if err := v.Parse(b); err != nil {
		return nil, err
	}
	if !v.Cookie() {
		return nil, fmt.Errorf("decode dhcp packet: %w", ErrNotDHCP)
	}
	return v.Packet(), nil
}

// Packet returns a copy that owns its bytes.
func (v *View) Packet() *Packet {
	p := &Packet{
		Op: v.Op(), HType: v.HType(), HLen: v.HLen(), Hops: v.Hops(),
		XID: v.XID(), Secs: v.Secs(), Flags: v.Flags(),
		CIAddr: v.CIAddr(), YIAddr: v.YIAddr(), SIAddr: v.SIAddr(), GIAddr: v.GIAddr(),
		CHAddr: [16]byte(v.b[28:44]), SName: string(v.SName()), File: string(v.File()),
	}
	v.Each(func(c Code, data []byte) bool {
		p.Options = append(p.Options, Option{Code: c, Data: append([]byte{}, data...)})
		return true
	})
	return p
}
