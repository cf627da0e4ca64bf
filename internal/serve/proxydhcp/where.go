package proxydhcp

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
)

const tftpPort = 69

// where writes the file and the server.
func where(p *dhcp4.Packet, c boot.Client, a boot.Answer, self boot.Server) {
	first := a.Servers[0]
	switch {
	case c.Firmware == boot.FirmwareUEFIHTTP:
		p.SIAddr = first.HTTP.Addr()
		p.SetBootFile(fileURL(first.HTTP, a.File))
	case a.Script:
		p.SIAddr = self.Addr()
		file(p, ScriptURL(self, c), true)
	case c.Firmware == boot.FirmwareIPXE && strings.Contains(a.File, "://"):
		p.SIAddr = self.Addr()
		file(p, a.File, true)
	default:
		p.SIAddr = first.TFTP.Addr()
		p.SName = p.SIAddr.String()
		name := a.File
		if c.Firmware == boot.FirmwareIPXE && first.TFTP.Port() != tftpPort {
			name = fmt.Sprintf("tftp://%s/%s", first.TFTP, a.File) // no other client can be told a port
		}
		file(p, name, c.Firmware == boot.FirmwareEDK2)
	}
}

// file writes a file name into the header field, and into option 67 where that is asked for or
// the field is too short.
func file(p *dhcp4.Packet, name string, option bool) {
	if len(name) <= dhcp4.MaxFile {
		p.File = name
	} else {
		option = true
	}
	if option {
		p.SetBootFile(name)
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

func fileURL(server netip.AddrPort, name string) string {
	if strings.Contains(name, "://") {
		return name
	}
	u := url.URL{Scheme: "http", Host: host(server), Path: "/" + strings.TrimLeft(name, "/")}
	return u.String()
}

// ScriptURL returns the URL of the iPXE script that self makes for a client: the query carries
// what rules look at and the script's server cannot see. It always fits the field file.
func ScriptURL(self boot.Server, c boot.Client) string {
	u := fmt.Sprintf("http://%s/boot.ipxe?mac=%s&arch=%d", host(self.HTTP), c.MAC, uint16(c.Arch))
	if !c.UUID.IsZero() {
		u += "&uuid=" + c.UUID.String()
	}
	return u
}

func host(a netip.AddrPort) string {
	if a.Port() == 80 {
		return a.Addr().String()
	}
	return a.String()
}
