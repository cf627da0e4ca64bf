package config

import (
	"cmp"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"surefoot/internal/boot"
)

// DefaultOptions say what the command line does when there is no site file.
type DefaultOptions struct {
	Node       string     // "" takes the host name
	Interfaces []string   // none: no ProxyDHCP, and everything on loopback
	Addr       netip.Addr // of the interface; the zero value stands for loopback
	Root       string     // "" for the built-in test bootstrap only
	BIOSFile   string     // instead of what is found in Root
	UEFIFile   string     // the same for uefi-x64
}

// Default is the configuration of a single node without a site file: for each architecture a rule
// with the first known file in the root (Known lists them), else the built-in test bootstrap. The
// error is *RootError.
func Default(o DefaultOptions) (*Config, error) {
	c := &Config{
		Fold: true, Socket: DefaultSocket, MaxTransfers: DefaultMaxTransfers,
		Serving: (&file{}).serving(), DrainTimeout: DefaultDrainTimeout,
		Status: netip.AddrPortFrom(loopback(), DefaultStatusPort), Offer: defaultOffer(),
	}
	c.Node = Node{
		Name: cmp.Or(o.Node, hostName()), Addr: o.Addr, Interfaces: slices.Clone(o.Interfaces),
		Roles: []string{RoleTFTP, RoleHTTP},
	}
	if !o.Addr.IsValid() {
		c.Node.Addr = loopback()
	}
	listen := loopback()
	if len(o.Interfaces) > 0 {
		c.Node.Roles = []string{RoleProxyDHCP, RoleTFTP, RoleHTTP}
		listen = netip.IPv4Unspecified()
	}
	c.Nodes = []Node{c.Node}
	c.TFTP, c.HTTP = netip.AddrPortFrom(listen, DefaultTFTPPort), netip.AddrPortFrom(listen, DefaultHTTPPort)
	known := listing{}
	if o.Root != "" {
		abs, err := filepath.Abs(o.Root)
		if err != nil {
			return nil, &RootError{Dir: o.Root, Err: err}
		}
		c.Root = abs
		if known, err = list(abs); err != nil {
			return nil, err
		}
	}
	rules, err := defaultRules(known, o)
	if err != nil {
		return nil, err
	}
	for i := range rules {
		rules[i].From, rules[i].IPXE = []string{c.Node.Name}, boot.IPXEScript
	}
	c.Site = boot.Site{
		Name: "default", Self: c.Node.Name, Rules: rules,
		Servers: map[string]boot.Server{}, Networks: []boot.Network{{Name: defaultNetwork, Deliver: boot.DeliverProxy, BIOS: boot.BIOSDirect}},
	}
	c.addNodeServers()
	c.State, c.Watch = DefaultState, (&file{}).resolveWatch(c)
	c.History, c.Alerts = fileHistory{}.resolve()
	return c, nil
}

// hostName is the host's name if it will do as the name of a node.
func hostName() string {
	if h, err := os.Hostname(); err == nil && checkName(h) == nil {
		return h
	}
	return "surefoot"
}

// defaultRules makes a rule for each architecture whose file is known, an iPXE script's first.
func defaultRules(files listing, o DefaultOptions) ([]boot.Rule, error) {
	var rules []boot.Rule
	for _, k := range Known() {
		file, why := files.first(k.Names), error(nil)
		switch k.Rule {
		case "bios":
			file, why = files.asked(o.BIOSFile, file, o.Root)
			file = cmp.Or(file, boot.TestBootstrap)
		case "uefi-x64":
			file, why = files.asked(o.UEFIFile, file, o.Root)
			file = cmp.Or(file, boot.TestBootstrap)
		}
		if why != nil {
			return nil, why
		}
		if file != "" {
			rules = append(rules, boot.Rule{Name: k.Rule, When: k.When, File: file})
		}
	}
	return rules, nil
}
