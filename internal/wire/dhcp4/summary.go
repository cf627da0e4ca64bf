package dhcp4

import (
	"fmt"
	"net/netip"
	"strings"
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
