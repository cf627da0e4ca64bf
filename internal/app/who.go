package app

import "surefoot/internal/boot"

// hasPeers reports whether other nodes answer the same machines.
func (a *App) hasPeers() bool { return len(a.setup().Nodes) > 1 }

// nameOf returns what the site file calls a machine, "" if nothing.
func (a *App) nameOf(mac boot.MAC) string {
	for _, n := range a.setup().Site.Networks {
		if r, ok := n.Reservations[mac]; ok {
			return r.Name
		}
	}
	return ""
}
