package app

import (
	"net/netip"

	"surefoot/internal/boot"
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
	for _, n := range a.setup().Site.Networks {
		if r, ok := n.Reservations[mac]; ok {
			return r.Name
		}
	}
	return ""
}
