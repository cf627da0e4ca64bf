package pxe

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
)

const tftpPort = 69

// Where is what a reply says of the server and the file.
type Where struct {
	Server netip.Addr // siaddr
	Named  bool       // the field sname has the server's address as text
	File   string     // the name, or a URL
	Option bool       // option 67 as well as the field file, which EDK2 and iPXE read first (F4)
}

// WhereOf writes an Answer for a client. self is this node, at an address that the client reaches.
func WhereOf(c boot.Client, a boot.Answer, self boot.Server) Where {
	first := a.Servers[0]
	switch {
	case c.Firmware == boot.FirmwareUEFIHTTP:
		return Where{Server: first.HTTP.Addr(), File: FileURL(first.HTTP, a.File), Option: true}
	case a.Script:
		return Where{Server: self.Addr(), File: ScriptURL(self, c), Option: true}
	case c.Firmware == boot.FirmwareIPXE && strings.Contains(a.File, "://"):
		return Where{Server: self.Addr(), File: a.File, Option: true}
	}
	w := Where{Server: first.TFTP.Addr(), Named: true, File: a.File, Option: c.Firmware == boot.FirmwareEDK2}
	if c.Firmware == boot.FirmwareIPXE && first.TFTP.Port() != tftpPort {
		w.File = "tftp://" + first.TFTP.String() + "/" + a.File // no other client can be told a port
	}
	return w
}

// Field reports whether the name stands in the header field file: a URL for UEFI HTTP boot is read
// from option 67 alone (F23), and a long name does not fit.
func (w Where) Field(c boot.Client) bool {
	return c.Firmware != boot.FirmwareUEFIHTTP && len(w.File) <= dhcp4.MaxFile
}

// Write puts it into a packet.
func (w Where) Write(p *dhcp4.Packet, c boot.Client) {
	p.SIAddr = w.Server
	if w.Named {
		p.SName = w.Server.String()
	}
	field := w.Field(c)
	if field {
		p.File = w.File
	}
	if w.Option || !field {
		p.SetBootFile(w.File)
	}
}

// nodes returns the addresses at which port 4011 can be asked: this node's own, where the client
// reached it, then the other nodes'.
func nodes(a boot.Answer, self boot.Server) []netip.Addr {
	out := []netip.Addr{self.Addr()}
	for _, s := range a.Nodes {
		if s.Name != self.Name {
			out = append(out, s.PXE)
		}
	}
	return out
}

// FileURL returns the URL of a file for UEFI HTTP boot.
func FileURL(server netip.AddrPort, name string) string {
	if strings.Contains(name, "://") {
		return name
	}
	u := url.URL{Scheme: "http", Host: host(server), Path: "/" + strings.TrimLeft(name, "/")}
	return u.String()
}

// ScriptURL returns the URL of the iPXE script that self makes for a client: the query carries
// what rules look at and the script's server cannot see. It always fits the field file.
func ScriptURL(self boot.Server, c boot.Client) string {
	u := "http://" + host(self.HTTP) + "/boot.ipxe?mac=" + c.MAC.String() + "&arch=" + strconv.Itoa(int(c.Arch))
	if !c.UUID.IsZero() {
		u += "&uuid=" + c.UUID.String()
	}
	return u
}

func host(a netip.AddrPort) string {
	if a.Port() == 80 {
		return bare(a.Addr())
	}
	return a.String()
}
