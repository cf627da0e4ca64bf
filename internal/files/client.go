package files

import (
	"net/netip"
	"regexp"
	"strings"

	"surefoot/internal/boot"
)

// Client is what a template may say of the machine that it is rendered for. What is not known
// is "".
type Client struct {
	IP       string `json:"ip"`
	MAC      string `json:"mac"`
	Name     string `json:"name"`     // of its reservation
	Network  string `json:"network"`  // of the site file
	Arch     string `json:"arch"`     // the name of the class, as in uefi-x64
	Firmware string `json:"firmware"` // the family, as in ipxe
	Server   string `json:"server"`   // the address that the client asked
	Node     string `json:"node"`
	Site     string `json:"site"`
	File     string `json:"file"` // the name asked for
}

// Asker is who asks for a file.
type Asker struct {
	IP       netip.Addr
	Server   netip.Addr    // the address that was asked
	MAC      boot.MAC      // if the request itself names it
	Firmware boot.Firmware // if the request itself tells it
	// Who says what else is known of a machine, by its MAC address or, if that is zero, by its
	// IP address. It is called for templates only. Nil: nothing is known.
	Who func(netip.Addr, boot.MAC) Client
}

// client is what the template of a file is told. Programs that a firmware loads ask for files with
// their MAC address in the name (PXELINUX: pxelinux.cfg/01-52-54-00-12-34-56): where the address
// of the machine says nothing, that does.
func (a Asker) client(file string) Client {
	c := a.ask(a.MAC)
	if m := macIn(file); c.MAC == "" && !m.IsZero() {
		c = a.ask(m)
	}
	c.IP, c.Server, c.File = addrText(a.IP), addrText(a.Server), file
	if a.Firmware != "" {
		c.Firmware = string(a.Firmware)
	}
	return c
}

func (a Asker) ask(mac boot.MAC) Client {
	var c Client
	if a.Who != nil {
		c = a.Who(a.IP, mac)
	}
	if c.MAC == "" {
		c.MAC = mac.String()
	}
	return c
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}

// macRegexp finds hexadecimal pairs with hyphens or colons between them.
var macRegexp = regexp.MustCompile(`(?:^|[^0-9A-Fa-f])((?:[0-9A-Fa-f]{2}[-:]){5,}[0-9A-Fa-f]{2})(?:$|[^0-9A-Fa-f:-])`)

// macIn returns the MAC address in a file name, or the zero value: six pairs, or seven of which the
// first is what PXELINUX puts before them, the type of the hardware, 01 for Ethernet.
func macIn(name string) boot.MAC {
	m := macRegexp.FindStringSubmatch(name)
	if m == nil {
		return boot.MAC{}
	}
	pairs := m[1]
	if len(pairs) == len("01-52-54-00-12-34-56") {
		pairs = strings.TrimPrefix(pairs, "01-")
	}
	mac, err := boot.ParseMAC(pairs)
	if err != nil || mac[0]&1 != 0 { // more pairs, mixed signs, or not one machine's
		return boot.MAC{}
	}
	return mac
}
