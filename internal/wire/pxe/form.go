package pxe

import "surefoot/internal/boot"

// Form is a way of writing a boot.Answer into DHCP that a family of firmware understands.
type Form uint8

const (
	// FormDirect puts server and file into the offer, with 43.6=8 (BOOTLAB section 4).
	FormDirect Form = iota
	// FormDiscover puts the list of nodes into the offer; each is asked on port 4011 in turn.
	FormDiscover
	// FormBINL says "ask me on port 4011" by having no option 43 and no file. EDK2 keeps every
	// such offer and asks one after the other (F1..F3), so it survives the death of a node.
	FormBINL
	// FormHTTP is a URL for UEFI HTTP boot (F23).
	FormHTTP
	// FormRaspberry is FormDirect with the menu that a Raspberry Pi looks for (F12).
	FormRaspberry
)

// FormOf chooses the form of a ProxyDHCP offer.
func FormOf(c boot.Client, a boot.Answer) Form {
	switch {
	case c.Firmware == boot.FirmwareUEFIHTTP:
		return FormHTTP
	case c.Firmware == boot.FirmwareRPi:
		return FormRaspberry
	case c.Firmware == boot.FirmwareEDK2:
		return FormBINL
	case c.Arch == boot.ArchBIOS && a.BIOS == boot.BIOSDiscover:
		return FormDiscover // the ROM's own PXE and iPXE alike
	}
	return FormDirect // iPXE of either kind, BIOS ROMs, and whoever is not known
}

const menuText = "Surefoot"

// Discovery is the option 43 of FormDiscover: the nodes that answer on port 4011, in dnsmasq's
// order of sub-options (BOOTLAB section 5), and with "accept no others".
func Discovery(a boot.Answer, self boot.Server) Vendor {
	return Vendor{
		Control(NoBroadcast | NoMulticast | OnlyListed),
		Prompt(0, menuText),
		Servers(ItemSurefoot, nodes(a, self)),
		Menu(ItemSurefoot, menuText),
	}
}
