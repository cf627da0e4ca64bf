package probe

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/pxe"
)

// Client is the kind of machine that a DISCOVER comes from.
type Client string

// The clients, each with the options that its packets were captured with.
const (
	ClientBDM  Client = "bdm"  // Citrix boot device manager: no option of PXE, flags 0 (F16; which options it sends is a guess)
	ClientEDK2 Client = "edk2" // UEFI firmware: flags 0x8000
	ClientPXE  Client = "pxe"  // BIOS PXE ROM: flags 0x8000
	ClientIPXE Client = "ipxe" // iPXE: flags 0
)

// Clients lists them in the order of the help text.
func Clients() []Client { return []Client{ClientEDK2, ClientPXE, ClientIPXE, ClientBDM} }

// ParseClient reads the name of a client.
func ParseClient(s string) (Client, error) {
	if slices.Contains(Clients(), Client(s)) {
		return Client(s), nil
	}
	var names []string
	for _, c := range Clients() {
		names = append(names, string(c))
	}
	return "", fmt.Errorf("%q is not a kind of client (one of %s)", s, strings.Join(names, ", "))
}

// broadcast is the flag that the client sets by itself (F16).
func (c Client) broadcast() bool { return c == ClientEDK2 || c == ClientPXE }

// DefaultArch is the architecture of a client of this kind that says nothing else.
func (c Client) DefaultArch() boot.Arch {
	if c == ClientPXE || c == ClientIPXE {
		return boot.ArchBIOS
	}
	return boot.ArchX64
}

// The lists of option 55, as captured (testdata of serve/proxydhcp).
func (c Client) parameters() []byte {
	switch c {
	case ClientBDM:
		return []byte{1, 3, 6, 15, 12} // a guess: what an address needs
	case ClientIPXE:
		return []byte{1, 3, 6, 7, 12, 15, 17, 26, 43, 60, 66, 67, 119, 128, 129, 130, 131, 132, 133, 134, 135, 175, 203}
	}
	return []byte{1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67, 97, 128, 129, 130, 131, 132, 133, 134, 135}
}

// packet makes a request of the client, with the options in the order of its firmware.
func (c Client) packet(t dhcp4.MessageType, mac boot.MAC, arch boot.Arch, xid uint32) *dhcp4.Packet {
	p := &dhcp4.Packet{Op: dhcp4.OpRequest, XID: xid}
	p.SetMAC(mac)
	p.SetType(t)
	if c == ClientBDM {
		p.Set(dhcp4.ParameterList, c.parameters())
		return p
	}
	firmware := boot.FirmwareEDK2
	switch c {
	case ClientIPXE:
		firmware = boot.FirmwareIPXE
	case ClientPXE:
		firmware = boot.FirmwarePXE
	}
	p.Set(dhcp4.MaxMessageSize, []byte{0x05, 0xc0}) // 1472, as all of them say
	p.Set(dhcp4.ParameterList, c.parameters())
	uuid := make([]byte, 17) // type 0; the rest is the MAC, so that it is the same each time
	copy(uuid[11:], mac[:])
	p.Set(dhcp4.ClientUUID, uuid)
	ndi := []byte{1, 3, 0}
	if arch == boot.ArchBIOS {
		ndi = []byte{1, 2, 1}
	}
	p.Set(dhcp4.ClientNDI, ndi)
	p.Set(dhcp4.ClientArch, binary.BigEndian.AppendUint16(nil, uint16(arch)))
	p.SetText(dhcp4.VendorClass, pxe.VendorClass(boot.Client{Arch: arch, Firmware: firmware}))
	if c == ClientIPXE {
		p.SetText(dhcp4.UserClass, "iPXE") // without the length byte of RFC 3004, as iPXE sends it
		p.Set(dhcp4.ClientID, append([]byte{1}, mac[:]...))
		p.Set(dhcp4.IPXE, []byte{0x17, 1, 1, 0x13, 1, 1, 0x11, 1, 1, 0x19, 1, 1, 0x10, 1, 2, 0x15, 1, 1, 0x18, 1, 1, 0x21, 1, 1})
	}
	return p
}
