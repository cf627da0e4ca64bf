package lab

import (
	"fmt"
	"strings"

	"surefoot/internal/boot"
)

// Firmware is the kind of machine that boots, and how it asks for its bootstrap.
type Firmware string

const (
	BIOS     Firmware = "bios" // SeaBIOS with a PXE ROM (iPXE, treated as a plain ROM): TFTP
	IPXE     Firmware = "ipxe" // the same machine, treated as the iPXE it is: script by HTTP
	UEFI     Firmware = "uefi" // OVMF, PXE over IPv4
	UEFIHTTP Firmware = "http" // OVMF, HTTP boot over IPv4
)

// Firmwares lists the kinds in the order of the help text.
func Firmwares() []Firmware { return []Firmware{BIOS, IPXE, UEFI, UEFIHTTP} }

// ParseFirmware reads a kind's name.
func ParseFirmware(s string) (Firmware, error) {
	var names []string
	for _, f := range Firmwares() {
		if string(f) == s {
			return f, nil
		}
		names = append(names, string(f))
	}
	return "", fmt.Errorf("%q is not a firmware of the lab (one of %s)", s, strings.Join(names, ", "))
}

// String says the kind in words.
func (f Firmware) String() string {
	switch f {
	case BIOS:
		return "BIOS machine (SeaBIOS, PXE ROM)"
	case IPXE:
		return "BIOS machine (SeaBIOS, iPXE)"
	case UEFI:
		return "UEFI machine (OVMF, PXE over IPv4)"
	case UEFIHTTP:
		return "UEFI machine (OVMF, HTTP boot over IPv4)"
	}
	return string(f)
}

func (f Firmware) isUEFI() bool { return f == UEFI || f == UEFIHTTP }

// The fifth byte of a lab machine's MAC address is its firmware, so that rules can tell.
func (f Firmware) number() byte {
	for i, g := range Firmwares() {
		if f == g {
			return byte(i + 1)
		}
	}
	return 0
}

// MAC returns the hardware address of machine number i of a firmware: 52:54:00:77:<firmware>:<i>.
func MAC(f Firmware, i byte) boot.MAC { return boot.MAC{0x52, 0x54, 0, 0x77, f.number(), i} }

// MACPrefix returns what the addresses of all machines of a firmware begin with, for rules.
func MACPrefix(f Firmware) string { m := MAC(f, 0).String(); return m[:len(m)-3] }
