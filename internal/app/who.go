package app

import (
	"net/netip"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/files"
)

// hasPeers reports whether other nodes answer the same machines.
func (a *App) hasPeers() bool { return len(a.setup().Nodes) > 1 }

// networkOf names the network of a client whose address alone is known, "" if it is in none.
func (a *App) networkOf(client netip.Addr) string {
	n, _ := a.setup().Site.Locate(boot.Client{Addr: client})
	return n.Name
}

// nameOf returns what the site file calls a machine, "" if nothing.
func (a *App) nameOf(mac boot.MAC) string {
	r, _ := reservation(a.setup().Config, mac)
	return r.Name
}

// reservation finds a machine's in any network.
func reservation(cfg *config.Config, mac boot.MAC) (boot.Reservation, bool) {
	for _, n := range cfg.Site.Networks {
		if r, ok := n.Reservations[mac]; ok {
			return r, true
		}
	}
	return boot.Reservation{}, false
}

// who says what templates may know of a machine: what its last boot told, and the site file.
func (a *App) who(ip netip.Addr, mac boot.MAC) files.Client {
	var c files.Client
	if s, ok := a.journal.Who(ip, mac); ok {
		mac = s.MAC
		c.Firmware, c.Network = string(s.Firmware), s.Network
		if s.Arch != nil {
			c.Arch = string(s.Arch.Class())
		}
	}
	return Describe(a.setup().Config, c, ip, mac)
}

// Describe adds to what is known of a machine what the site file says of it.
func Describe(cfg *config.Config, c files.Client, ip netip.Addr, mac boot.MAC) files.Client {
	c.MAC, c.Node, c.Site = mac.String(), cfg.Node.Name, cfg.Site.Name
	if r, ok := reservation(cfg, mac); ok && r.Name != mac.String() {
		c.Name = r.Name
	}
	if n, ok := cfg.Site.Locate(boot.Client{Addr: ip}); ok && ip.IsValid() {
		c.Network = n.Name
	}
	return c
}
