// Package pxe is what PXE adds to DHCP: the sub-options of option 43, the vendor class of option
// 60, and the options 77, 93, 94, 97 and 175 by which a booting machine says who it is (PXE 2.1,
// RFC 4578, RFC 3004). ClientOf turns a packet into boot.Client; what single firmwares do
// otherwise stands in quirks.go, each with its proof.
//
// It decides nothing about the answer and opens no sockets.
package pxe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Sub is the number of a sub-option of option 43.
type Sub uint8

// Sub-options (PXE 2.1 table 2-1; F6).
const (
	SubPad       Sub = 0
	SubControl   Sub = 6
	SubMulticast Sub = 7
	SubServers   Sub = 8
	SubMenu      Sub = 9
	SubPrompt    Sub = 10
	SubItem      Sub = 71
	SubEnd       Sub = 255
)

// String prints name and number, as in "control(6)".
func (s Sub) String() string {
	name := "sub-option"
	switch s {
	case SubControl:
		name = "control"
	case SubMulticast:
		name = "multicast"
	case SubServers:
		name = "servers"
	case SubMenu:
		name = "menu"
	case SubPrompt:
		name = "prompt"
	case SubItem:
		name = "item"
	case SubEnd:
		name = "end"
	}
	return fmt.Sprintf("%s(%d)", name, uint8(s))
}

// The bits of sub-option 6 (F6).
const (
	NoBroadcast  byte = 1 << 0 // do not look for boot servers by broadcast
	NoMulticast  byte = 1 << 1 // nor by multicast
	OnlyListed   byte = 1 << 2 // use and accept only the servers of sub-option 8
	TakeBootFile byte = 1 << 3 // the offer holds the file name: no menu, no prompt, no discovery
)

// ItemSurefoot is the type of our one menu item: the first that PXE leaves to vendors, as
// dnsmasq uses it. (Type 0 means to boot from the local disk.)
const ItemSurefoot uint16 = 0x8000

const maxValue = 255 // bytes in a sub-option

// VendorOption is one sub-option of option 43.
type VendorOption struct {
	Code Sub
	Data []byte
}

// Vendor is option 43 in the form that PXE gives it.
type Vendor []VendorOption

// ParseVendor reads option 43. The End sub-option may be missing; a sub-option cut short is an
// error. It copies what it keeps.
func ParseVendor(b []byte) (Vendor, error) {
	var v Vendor
	for len(b) > 0 {
		code := Sub(b[0])
		if code == SubEnd {
			return v, nil
		}
		if code == SubPad {
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return nil, fmt.Errorf("decode option 43: %s is cut short", code)
		}
		n := int(b[1])
		v = append(v, VendorOption{code, append([]byte{}, b[2:2+n]...)})
		b = b[2+n:]
	}
	return v, nil
}

// Bytes writes option 43 with its End. A value of more than 255 bytes is cut: the functions that
// make values here never make one.
func (v Vendor) Bytes() []byte {
	var b []byte
	for _, o := range v {
		data := o.Data[:min(len(o.Data), maxValue)]
		b = append(b, byte(o.Code), byte(len(data)))
		b = append(b, data...)
	}
	return append(b, byte(SubEnd))
}

// Get returns the first sub-option with the code.
func (v Vendor) Get(c Sub) ([]byte, bool) {
	for _, o := range v {
		if o.Code == c {
			return o.Data, true
		}
	}
	return nil, false
}

// Control makes sub-option 6.
func Control(bits byte) VendorOption { return VendorOption{SubControl, []byte{bits}} }

// Servers makes sub-option 8 with one list: the addresses of the servers of one item type, in
// the order in which the client is to ask them. At most 63 fit, the rest is left out.
func Servers(item uint16, addrs []netip.Addr) VendorOption {
	addrs = addrs[:min(len(addrs), (maxValue-3)/4)]
	b := append(binary.BigEndian.AppendUint16(nil, item), byte(len(addrs)))
	for _, a := range addrs {
		a4 := a.As4()
		b = append(b, a4[:]...)
	}
	return VendorOption{SubServers, b}
}

// Menu makes sub-option 9 with one item.
func Menu(item uint16, text string) VendorOption {
	text = text[:min(len(text), maxValue-3)]
	b := append(binary.BigEndian.AppendUint16(nil, item), byte(len(text)))
	return VendorOption{SubMenu, append(b, text...)}
}

// Prompt makes sub-option 10: how many seconds the client shows the text before it takes the
// first menu item; 0 takes it at once, 255 waits for a key.
func Prompt(seconds byte, text string) VendorOption {
	return VendorOption{SubPrompt, append([]byte{seconds}, text[:min(len(text), maxValue-1)]...)}
}

// BootServer is one entry of sub-option 8.
type BootServer struct {
	Item  uint16
	Addrs []netip.Addr
}

// ParseServers reads the value of sub-option 8.
func ParseServers(b []byte) ([]BootServer, error) {
	var out []BootServer
	for len(b) > 0 {
		if len(b) < 3 || len(b) < 3+4*int(b[2]) {
			return nil, errors.New("decode servers(8): cut short")
		}
		s := BootServer{Item: binary.BigEndian.Uint16(b)}
		n := int(b[2])
		for b = b[3:]; n > 0; n-- {
			s.Addrs = append(s.Addrs, netip.AddrFrom4([4]byte(b)))
			b = b[4:]
		}
		out = append(out, s)
	}
	return out, nil
}

// MenuItem is one entry of sub-option 9.
type MenuItem struct {
	Item uint16
	Text string
}

// ParseMenu reads the value of sub-option 9.
func ParseMenu(b []byte) ([]MenuItem, error) {
	var out []MenuItem
	for len(b) > 0 {
		if len(b) < 3 || len(b) < 3+int(b[2]) {
			return nil, errors.New("decode menu(9): cut short")
		}
		n := int(b[2])
		out = append(out, MenuItem{binary.BigEndian.Uint16(b), string(b[3 : 3+n])})
		b = b[3+n:]
	}
	return out, nil
}
