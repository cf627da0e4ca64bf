// Package boot is the heart of Surefoot and imports nothing else of it: the words of the field
// (Client, Server, Rule, Answer, Reason, Event) and Decide, the one place where a server and a
// file are chosen. DHCP options, a ProxyDHCP offer, a reply on port 4011, an HTTP-boot URL and
// an iPXE script are all encodings of the same Answer.
//
// Everything here is pure: no clock, no socket, no logger.
package boot

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Firmware is the family of program that asks: it decides in which form an answer is understood.
type Firmware string

const (
	FirmwareUnknown  Firmware = ""
	FirmwarePXE      Firmware = "pxe"       // legacy PXE ROM (BIOS)
	FirmwareEDK2     Firmware = "edk2"      // UEFI PXE, EDK2 and its descendants
	FirmwareUEFIHTTP Firmware = "uefi-http" // UEFI HTTP boot (HTTPClient)
	FirmwareIPXE     Firmware = "ipxe"
	FirmwareGRUB     Firmware = "grub"
	FirmwarePXELINUX Firmware = "pxelinux"
	FirmwareRPi      Firmware = "rpi" // Raspberry Pi boot ROM (F12)
)

// Firmwares lists the families in the order in which help texts name them.
func Firmwares() []Firmware {
	return []Firmware{
		FirmwarePXE, FirmwareEDK2, FirmwareUEFIHTTP, FirmwareIPXE, FirmwareGRUB,
		FirmwarePXELINUX, FirmwareRPi,
	}
}

// ParseFirmware reads the name of a family.
func ParseFirmware(s string) (Firmware, error) {
	if f := Firmware(s); slices.Contains(Firmwares(), f) {
		return f, nil
	}
	var names []string
	for _, f := range Firmwares() {
		names = append(names, string(f))
	}
	return "", fmt.Errorf("%q is not a firmware family (one of %s)", s, strings.Join(names, ", "))
}

// Client is what is known of a machine that asks: the facts that rules look at.
type Client struct {
	MAC         MAC
	UUID        UUID // option 97; zero: not sent
	Arch        Arch // option 93, else what option 60 names; ArchUnknown: neither
	Firmware    Firmware
	VendorClass string       // option 60 as sent
	UserClass   string       // option 77 as sent
	IPXE        IPXEFeatures // option 175, when Firmware is ipxe
	Addr        netip.Addr   // its own address, when it has one
	Relay       netip.Addr   // giaddr, when a relay agent forwarded the packet
	Link        netip.Prefix // address and mask of the interface on which it was heard
}

// IPXEFeatures is what an iPXE says it can do (option 175, sub-options 0x10 and up; F13).
type IPXEFeatures struct {
	Known bool // the client sent option 175
	HTTP  bool
	TFTP  bool
	EFI   bool
}
