package pxe

import (
	"net/netip"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp6"
)

// ClientOf6 says who sent a DHCPv6 message, and whether it boots from the network: it says so by its classes or by its
// architecture, or it asks for a boot file. Its hardware address is the caller's business, since no one option has
// it. Some firmware does not say its architecture in an option of its own (F22), but all of it does in the vendor
// class.
func (n *Names) ClientOf6(o dhcp6.Options) (c boot.Client, boots bool) {
	c.Arch = boot.ArchUnknown
	if b, ok := o.Vendor(dhcp6.EnterprisePXE); ok {
		c.VendorClass = n.Text(b)
	}
	class := ParseClass(c.VendorClass)
	if b, ok := o.User(); ok {
		c.UserClass = n.Text(b)
	}
	for a := range o.Archs() {
		c.Arch = boot.Arch(a)
		break
	}
	if c.Arch == boot.ArchUnknown {
		c.Arch = class.Arch
	}
	boots = class.Kind != "" || c.Arch != boot.ArchUnknown || c.UserClass == "iPXE" || o.Asks(dhcp6.BootFileURL)
	if !boots {
		return c, false
	}
	if c.Firmware = family(c, class); c.Firmware == boot.FirmwareUnknown && c.Arch.HTTP() {
		c.Firmware = boot.FirmwareUEFIHTTP
	}
	id, _ := o.Get(dhcp6.ClientID)
	if u, ok := dhcp6.DUID(id).UUID(); ok {
		c.UUID = boot.UUID(u) // EDK2 sends it as SMBIOS has it
		if c.Firmware == boot.FirmwareIPXE {
			c.UUID = c.UUID.Swapped() // and iPXE as it is printed (BOOTLAB section 3)
		}
	}
	return c, true
}

// URLOf writes an Answer as the URL that DHCPv6 names a boot file by (RFC 5970 section 3.1). self is this node.
func URLOf(c boot.Client, a boot.Answer, self boot.Server) string {
	first := a.Servers[0]
	switch {
	case c.Firmware == boot.FirmwareUEFIHTTP:
		return FileURL(first.HTTP, a.File)
	case a.Script:
		return ScriptURL(self, c)
	case strings.Contains(a.File, "://"):
		return a.File
	}
	at := first.TFTP.String()
	if first.TFTP.Port() == tftpPort {
		at = bare(first.TFTP.Addr())
	}
	return "tftp://" + at + "/" + strings.TrimLeft(strings.ReplaceAll(a.File, `\`, "/"), "/")
}

// bare is an address as URLs have it without a port (RFC 3986 section 3.2.2).
func bare(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}
