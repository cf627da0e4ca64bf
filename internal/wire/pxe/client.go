package pxe

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
)

// ClientOf says who sent the packet. The reason is boot.Answered if the packet is the request of
// a machine that boots from the network, and otherwise tells why it is not; the client is then
// filled in as far as the packet goes. Address and Link of the client are the caller's business:
// ciaddr is taken over, nothing else of the path is known here.
func ClientOf(p *dhcp4.Packet) (boot.Client, boot.Reason) {
	return clientOf(p, p.Op, boot.Client{Addr: p.CIAddr, Relay: p.GIAddr}, func(b []byte) string { return string(b) })
}

// Names keeps the texts that many clients send alike, such as their vendor class, so that reading
// a client allocates nothing. It is for one goroutine at a time; the zero value is ready.
type Names struct{ seen map[string]string }

// maxNames bounds what Names remembers: a flood of invented texts costs a fixed amount of memory.
const maxNames = 4096

// ClientOf is ClientOf for a View.
func (n *Names) ClientOf(v *dhcp4.View) (boot.Client, boot.Reason) {
	return clientOf(v, v.Op(), boot.Client{Addr: v.CIAddr(), Relay: v.GIAddr()}, n.Text)
}

// Text returns the text of the bytes.
func (n *Names) Text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := n.seen[string(b)]; ok {
		return s
	}
	if n.seen == nil || len(n.seen) >= maxNames {
		n.seen = map[string]string{}
	}
	s := string(b)
	n.seen[s] = s
	return s
}

// request is a packet, or a View of one.
type request interface {
	MAC() (boot.MAC, bool)
	Type() dhcp4.MessageType
	Get(c dhcp4.Code) ([]byte, bool)
}

func clientOf(p request, op uint8, c boot.Client, text func([]byte) string) (boot.Client, boot.Reason) {
	mac, ok := p.MAC()
	c.MAC, c.Arch = mac, boot.ArchUnknown
	if op != dhcp4.OpRequest {
		return c, boot.NotRequest
	}
	if !ok {
		return c, boot.NotEthernet
	}
	if p.Type() == 0 {
		return c, boot.NotDHCP
	}
	if b, ok := p.Get(dhcp4.VendorClass); ok {
		c.VendorClass = text(bytes.TrimRight(b, "\x00"))
	}
	class := ParseClass(c.VendorClass)
	if b, ok := p.Get(dhcp4.UserClass); ok {
		c.UserClass = text(userClass(b))
	}
	if class.Kind == "" {
		return c, boot.NotPXE
	}
	if b, ok := p.Get(dhcp4.ClientUUID); ok {
		if _, good := EchoUUID(b); good {
			c.UUID = boot.UUID(b[1:])
		}
	}
	if c.Arch = arch93(p); c.Arch == boot.ArchUnknown {
		c.Arch = class.Arch
	}
	if b, ok := p.Get(dhcp4.IPXE); ok {
		c.IPXE = parseIPXE(b)
	}
	c.Firmware = family(c, class)
	if c.Arch == boot.ArchUnknown {
		return c, boot.NoArch
	}
	return c, boot.Answered
}

// arch93 returns the first architecture of option 93. RFC 4578 section 2.1 allows several, for a
// machine that can start each of them; the first is its own.
func arch93(p request) boot.Arch {
	if b, ok := p.Get(dhcp4.ClientArch); ok && len(b) >= 2 {
		return boot.Arch(binary.BigEndian.Uint16(b))
	}
	return boot.ArchUnknown
}

// family tells the firmware families apart. iPXE comes first, since it calls itself a PXEClient
// of the machine's own architecture. GRUB and PXELINUX never appear here: GRUB's DHCP carries no
// option 60, PXELINUX asks for no address of its own (BOOTLAB section 3).
func family(c boot.Client, class Class) boot.Firmware {
	switch {
	case c.UserClass == "iPXE" || c.IPXE.Known:
		return boot.FirmwareIPXE
	case class.Kind == HTTPClient:
		return boot.FirmwareUEFIHTTP
	case isRaspberry(c.MAC, c.Arch):
		return boot.FirmwareRPi
	case c.Arch.UEFI(), otherUEFI(c.Arch):
		return boot.FirmwareEDK2
	case c.Arch == boot.ArchBIOS:
		return boot.FirmwarePXE
	}
	return boot.FirmwareUnknown
}

// DiscoverOf makes the DISCOVER that such a client sends, for explaining and probing: it has all
// that an answer depends on, and ClientOf reads the same client from it.
func DiscoverOf(c boot.Client) *dhcp4.Packet {
	p := &dhcp4.Packet{Op: dhcp4.OpRequest, CIAddr: c.Addr, GIAddr: c.Relay}
	p.SetMAC(c.MAC)
	p.SetType(dhcp4.Discover)
	if c.Firmware == boot.FirmwareEDK2 || c.Firmware == boot.FirmwareUEFIHTTP {
		p.Flags = dhcp4.FlagBroadcast // F16
	}
	if !c.UUID.IsZero() {
		p.Set(dhcp4.ClientUUID, append([]byte{0}, c.UUID[:]...))
	}
	p.Set(dhcp4.ClientArch, binary.BigEndian.AppendUint16(nil, uint16(c.Arch)))
	class := c.VendorClass
	if class == "" {
		class = VendorClass(c)
	}
	p.SetText(dhcp4.VendorClass, class)
	if c.Firmware == boot.FirmwareIPXE {
		c.UserClass = "iPXE"
	}
	if c.UserClass != "" {
		p.SetText(dhcp4.UserClass, c.UserClass)
	}
	if c.Firmware == boot.FirmwareIPXE && c.IPXE.Known {
		var b []byte
		for _, f := range []ipxeFeature{
			{featureHTTP, c.IPXE.HTTP}, {featureTFTP, c.IPXE.TFTP}, {featureEFI, c.IPXE.EFI},
		} {
			if f.on {
				b = append(b, f.code, 1, 1)
			}
		}
		p.Set(dhcp4.IPXE, b)
	}
	return p
}

// VendorClass makes the option 60 that the client's firmware sends.
func VendorClass(c boot.Client) string {
	kind, undi := PXEClient, "003000"
	if c.Firmware == boot.FirmwareUEFIHTTP {
		kind = HTTPClient
	}
	if c.Arch == boot.ArchBIOS {
		undi = "002001"
	}
	return fmt.Sprintf("%s:Arch:%05d:UNDI:%s", kind, uint16(c.Arch), undi)
}
