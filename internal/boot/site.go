package boot

import (
	"net/netip"
	"strings"
)

// Site is a valid site file in the form that decisions need. It is never changed after it was
// made: a reload makes a new one.
type Site struct {
	Name     string
	Self     string // the node that decides
	Rules    []Rule // first match wins
	Servers  map[string]Server
	Networks []Network // a network without a subnet matches every client and stands last
	Names    []Name    // what the DNS role stands for, in the order of the file

	VIPs map[string]ServiceAddress // that networks name, by name
}

// ServiceAddress is an address that several servers stand behind, as a server of its own.
type ServiceAddress struct {
	Server Server
	Behind []string // names of servers
}

// Server is who can hand out a bootstrap: one of our nodes, or any TFTP server.
type Server struct {
	Name string         `json:"name"`
	TFTP netip.AddrPort `json:"tftp,omitzero"` // the zero value: does not speak it
	HTTP netip.AddrPort `json:"http,omitzero"`
	// The same over IPv6. An Answer to a client that boots over IPv6 has them in TFTP and HTTP.
	TFTP6 netip.AddrPort `json:"tftp6,omitzero"`
	HTTP6 netip.AddrPort `json:"http6,omitzero"`
	PXE   netip.Addr     `json:"pxe,omitzero"`   // where it answers on port 4011; the zero value: nowhere
	Node  bool           `json:"node,omitempty"` // one of our nodes: has the test bootstrap, makes scripts
}

// Addr returns the server's address, whichever protocol it speaks.
func (s Server) Addr() netip.Addr {
	switch {
	case s.TFTP.IsValid():
		return s.TFTP.Addr()
	case s.HTTP.IsValid():
		return s.HTTP.Addr()
	}
	return s.PXE
}

// Rule says which file which clients get, and from whom.
type Rule struct {
	Name     string
	When     Match
	File     string   // as on the server; TestBootstrap stands for the built-in one
	From     []string // names of servers, in order of preference
	IPXE     IPXEMode
	Contains string // text that the right file holds, "" if not said
	SHA256   string // hash of the right file in hexadecimal, "" if not said
	RootPath string // option 17, "" for none
	Options  []Option
}

// Option is a DHCP option that a rule gives its machines, in networks whose addresses are ours to
// give. What it means is no business of this package.
type Option struct {
	Code   uint8  `json:"code"`
	Text   string `json:"text"` // as it was written
	Data   []byte `json:"-"`
	Always bool   `json:"always,omitempty"` // also to clients that do not ask for it
}

// TestBootstrap is the file name in a rule that stands for the built-in test bootstrap.
const TestBootstrap = "surefoot-test"

// The names under which the servers hand out the built-in test bootstrap. HTTP boot goes by the
// extension, so the EFI program has one.
const (
	TestBootstrapBIOS = "surefoot-test.0"
	TestBootstrapX64  = "surefoot-test.efi"
)

// IPXEMode says how an iPXE client is told about the file.
type IPXEMode string

const (
	// IPXEScript gives the URL of a script, made for this client, that tries every server in
	// order. The default: it is the form in which iPXE itself fails over.
	IPXEScript IPXEMode = "script"
	// IPXEFile gives the file itself, as to any PXE ROM.
	IPXEFile IPXEMode = "file"
)

// Match is the condition of a rule. An empty list matches every client.
type Match struct {
	Arch        []Arch
	Firmware    []Firmware
	MAC         []string // MAC addresses or their beginnings, lower case with colons
	Network     []string
	UserClass   []string // option 77, whole
	VendorClass []string // beginnings of option 60
}

// Network is a set of clients that are reached in the same way.
type Network struct {
	Name         string
	Subnet       netip.Prefix // the zero value of both: every client
	Subnet6      netip.Prefix // of those that boot over IPv6
	Deliver      Delivery
	VIP          string // the service address that its machines are sent to, if the rule has servers behind it; "": to these themselves
	BIOS         BIOSStyle
	Reservations map[MAC]Reservation
	ByDUID       map[string]Reservation // IPv6 addresses of what calls itself so over DHCPv6: hexadecimal digits
}

// Delivers is the delivery as the site file says it.
func (n Network) Delivers() string {
	if n.VIP != "" {
		return DeliverVIP + n.VIP
	}
	return string(n.Deliver)
}

// Reservation binds one machine to a rule or an address.
type Reservation struct {
	Name  string
	Rule  string     // "" leaves it to the rules
	Addr  netip.Addr // the address that it always gets, where addresses are ours to give
	Addr6 netip.Addr // and the IPv6 address
}

// Delivery is how a network's clients hear of their bootstrap.
type Delivery string

const (
	DeliverDHCP  Delivery = "dhcp"  // our DHCP server hands out the addresses, and names the bootstrap with them
	DeliverProxy Delivery = "proxy" // ProxyDHCP, beside whoever hands out the addresses
	DeliverDNS   Delivery = "dns"   // the DHCP server names a DNS name and the file; no ProxyDHCP
	DeliverNone  Delivery = "none"  // stay silent
)

// DeliverVIP stands before the name of a service address in the site file: the delivery is DeliverProxy then.
const DeliverVIP = "vip:"

// BIOSStyle is the form of the ProxyDHCP offer for legacy PXE ROMs.
type BIOSStyle string

const (
	// BIOSDirect puts server and file into the offer (43.6 = 8): the ROM downloads at once.
	BIOSDirect BIOSStyle = "direct"
	// BIOSDiscover puts the list of nodes into the offer (43.8): the ROM asks each on port
	// 4011 until one answers. A second longer, but it survives the death of a node after its offer.
	BIOSDiscover BIOSStyle = "discover"
)

// Locate returns the network of a client: by relay, else by its own address, else by the
// address of the interface on which it was heard.
func (s *Site) Locate(c Client) (Network, bool) {
	if n := s.locate(c); n != nil {
		return *n, true
	}
	return Network{}, false
}

func (s *Site) locate(c Client) *Network {
	a := c.place()
	for i := range s.Networks {
		// The first address known decides; without one only a network for every client will do.
		if n := &s.Networks[i]; n.open() || known(a) && (n.Subnet.Contains(a) || n.Subnet6.Contains(a)) {
			return n
		}
	}
	return nil
}

// open reports whether the network takes every client.
func (n *Network) open() bool { return !n.Subnet.IsValid() && !n.Subnet6.IsValid() }

func known(a netip.Addr) bool { return a.IsValid() && !a.IsUnspecified() }

// ipxeBinaries are the names under which iPXE itself is commonly handed out.
var ipxeBinaries = []string{"ipxe", "snponly", "snp", "undionly", "intel", "realtek"}

// isIPXEBinary reports whether a file name is that of an iPXE program (not of a script).
func isIPXEBinary(file string) bool {
	base := strings.ToLower(file[strings.LastIndexAny(file, `/\`)+1:])
	name, ext, _ := strings.Cut(base, ".")
	switch ext {
	case "efi", "kpxe", "pxe", "kkpxe", "kkkpxe", "0", "lkrn", "krn":
	default:
		return false
	}
	for _, b := range ipxeBinaries {
		if name == b || strings.HasPrefix(name, b+"-") {
			return true
		}
	}
	return false
}
