package dhcp4

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Describe writes the value of an option for people; ok is false for options that it does not
// know, which are then written in this package's own way.
type Describe func(c Code, data []byte) (text string, ok bool)

// Summary writes the packet down for people, one field or option a line, with names and numbers.
// The text is stable: golden tests and `surefoot explain` print it. describe may be nil.
func (p *Packet) Summary(describe Describe) string {
	var b strings.Builder
	op := fmt.Sprintf("op %d", p.Op)
	switch p.Op {
	case OpRequest:
		op = "BOOTREQUEST"
	case OpReply:
		op = "BOOTREPLY"
	}
	fmt.Fprintf(&b, "%s xid 0x%08x secs %d flags 0x%04x hops %d\n", op, p.XID, p.Secs, p.Flags, p.Hops)
	if mac, ok := p.MAC(); ok {
		fmt.Fprintf(&b, "  chaddr %s\n", mac)
	} else {
		fmt.Fprintf(&b, "  chaddr % x (hardware type %d)\n", p.CHAddr[:p.HLen], p.HType)
	}
	for _, f := range []struct {
		name string
		addr netip.Addr
	}{{"ciaddr", p.CIAddr}, {"yiaddr", p.YIAddr}, {"siaddr", p.SIAddr}, {"giaddr", p.GIAddr}} {
		if f.addr.IsValid() {
			fmt.Fprintf(&b, "  %s %s\n", f.name, f.addr)
		}
	}
	if p.SName != "" {
		fmt.Fprintf(&b, "  sname  %q\n", p.SName)
	}
	if p.File != "" {
		fmt.Fprintf(&b, "  file   %q\n", p.File)
	}
	for _, o := range p.Options {
		text, ok := "", false
		if describe != nil {
			text, ok = describe(o.Code, o.Data)
		}
		if !ok {
			text = o.Text()
		}
		fmt.Fprintf(&b, "  %3d %-18s %s\n", uint8(o.Code), o.Code.Name(), text)
	}
	return b.String()
}

// Text writes the option's value for people: addresses, numbers and text as such, the rest, and
// whatever does not have the form that it should, in hexadecimal.
func (o Option) Text() string {
	_, f, _ := o.Code.describe()
	d := o.Data
	switch {
	case f == asText && printable(d):
		return strconv.Quote(string(d))
	case f == asAddrs && len(d) > 0 && len(d)%4 == 0:
		var out []string
		for ; len(d) > 0; d = d[4:] {
			out = append(out, netip.AddrFrom4([4]byte(d)).String())
		}
		return strings.Join(out, " ")
	case f == asNumber && len(d) > 0 && len(d) <= 4:
		n := uint32(0)
		for _, x := range d {
			n = n<<8 | uint32(x)
		}
		return strconv.FormatUint(uint64(n), 10)
	case f == asType && len(d) == 1:
		return MessageType(d[0]).String()
	case f == asCodes:
		var out []string
		for _, x := range d {
			out = append(out, strconv.Itoa(int(x)))
		}
		return strings.Join(out, ",")
	}
	return fmt.Sprintf("% x", d)
}

// printable reports whether b is text, apart from NULs at its end.
func printable(b []byte) bool {
	b = bytes.TrimRight(b, "\x00")
	return len(b) > 0 && utf8.Valid(b) && bytes.IndexFunc(b, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
