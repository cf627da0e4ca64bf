package app

import (
	"slices"

	"surefoot/internal/lb"
)

// planes are the ways of letting packets travel in the kernel, each with what it takes.
func (a *App) planes() []*kind {
	a.direct = newDirect(a.log, a.now)
	return []*kind{
		{name: "nat", plane: a.newTranslating(), takes: func(s lb.Service) bool { return s.Mode == lb.NAT || s.Mode == lb.SNAT }},
		{name: "dsr", plane: a.direct, takes: func(s lb.Service) bool { return s.Mode == lb.DSR }},
	}
}

// pathsSlot is the place of the data paths: there is one dataPaths for as long as the program runs, so
// that a reload never makes two follow at once.
func (a *App) pathsSlot() *slot {
	return &slot{
		name: slotPaths,
		make: func(cfg *setup) (server, error) {
			if len(cfg.inKernel()) == 0 {
				return nil, nil
			}
			return a.paths, nil
		},
		same:  func(was, is *setup) bool { return (len(was.inKernel()) > 0) == (len(is.inKernel()) > 0) },
		apply: func(server, *setup) { a.paths.Wake() },
	}
}

// lbTables are those that the data paths are to follow now.
func (a *App) lbTables(active func(vip string) bool) []lb.Table {
	cfg := a.setup()
	snap, now := a.monitor.Snapshot(), a.now()
	known := map[string]condition{}
	of := func(server string) condition {
		c, ok := known[server]
		if !ok {
			c = conditionOf(cfg.Config, snap, a.health.lacks, server)
			known[server] = c
		}
		return c
	}
	var out []lb.Table
	for _, b := range cfg.inKernel() {
		s := service(cfg.Config, b)
		// An address that others keep may come at any moment, and then packets must not wait.
		out = append(out, tableOf(s, s.VIP == "" || active(s.VIP), now, of))
	}
	return slices.Clip(out)
}
