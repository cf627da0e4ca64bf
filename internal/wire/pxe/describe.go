package pxe

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
)

// Summary writes a packet down for people with what PXE puts into its options.
func Summary(p *dhcp4.Packet) string { return p.Summary(Describe) }

// Describe writes the options that PXE defines; it is a dhcp4.Describe.
func Describe(c dhcp4.Code, b []byte) (string, bool) {
	switch c {
	case dhcp4.VendorSpecific:
		v, err := ParseVendor(b)
		if err != nil || len(v) == 0 {
			return "", false
		}
		return v.String(), true
	case dhcp4.ClientArch:
		var out []string
		for ; len(b) >= 2; b = b[2:] {
			out = append(out, boot.Arch(binary.BigEndian.Uint16(b)).String())
		}
		return strings.Join(out, " "), len(b) == 0 && len(out) > 0
	case dhcp4.ClientNDI:
		if len(b) != 3 || b[0] != 1 {
			return "", false
		}
		return fmt.Sprintf("UNDI %d.%d", b[1], b[2]), true
	case dhcp4.ClientUUID:
		if _, ok := EchoUUID(b); !ok {
			return "", false
		}
		if u := boot.UUID(b[1:]); !u.IsZero() {
			return u.String(), true
		}
		return "all zero", true
	case dhcp4.UserClass:
		return strconv.Quote(string(userClass(b))), true
	case dhcp4.IPXE:
		return describeIPXE(b)
	}
	return "", false
}

// String writes the sub-options in their order, as in "control(6)=07 menu(9)=...".
func (v Vendor) String() string {
	var out []string
	for _, o := range v {
		out = append(out, o.Code.String()+"="+o.text())
	}
	return strings.Join(out, " ")
}

func (o VendorOption) text() string {
	d := o.Data
	switch o.Code {
	case SubControl:
		if len(d) == 1 {
			return controlText(d[0])
		}
	case SubServers:
		list, err := ParseServers(d)
		var out []string
		for _, s := range list {
			var addrs []string
			for _, a := range s.Addrs {
				addrs = append(addrs, a.String())
			}
			out = append(out, fmt.Sprintf("%04x:%s", s.Item, strings.Join(addrs, ",")))
		}
		if err == nil && len(out) > 0 {
			return "[" + strings.Join(out, " ") + "]"
		}
	case SubMenu:
		list, err := ParseMenu(d)
		var out []string
		for _, m := range list {
			out = append(out, fmt.Sprintf("%04x:%q", m.Item, m.Text))
		}
		if err == nil && len(out) > 0 {
			return "[" + strings.Join(out, " ") + "]"
		}
	case SubPrompt:
		if len(d) > 0 {
			return fmt.Sprintf("%ds:%q", d[0], d[1:])
		}
	case SubItem:
		if len(d) == 4 {
			return fmt.Sprintf("%04x layer %d", binary.BigEndian.Uint16(d), binary.BigEndian.Uint16(d[2:]))
		}
	}
	return fmt.Sprintf("[% x]", d)
}

func controlText(bits byte) string {
	var out []string
	for _, b := range []struct {
		bit  byte
		name string
	}{
		{NoBroadcast, "no-broadcast"},
		{NoMulticast, "no-multicast"},
		{OnlyListed, "only-listed"},
		{TakeBootFile, "take-boot-file"},
	} {
		if bits&b.bit != 0 {
			out = append(out, b.name)
		}
	}
	return fmt.Sprintf("%02x[%s]", bits, strings.Join(out, " "))
}

func describeIPXE(b []byte) (string, bool) {
	var out []string
	for f := range eachFeature(b) {
		name := featureName(f.code)
		if name == "" {
			name = fmt.Sprintf("%02x", f.code)
		}
		if !f.on {
			name += "=0"
		}
		out = append(out, name)
	}
	return strings.Join(out, " "), len(out) > 0
}
