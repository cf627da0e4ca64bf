package config

import (
	"fmt"
	"net/netip"
	"slices"
)

// resolveBalances fills in the defaults.
func (c *Config) resolveBalances(f *file) {
	for _, b := range f.balances {
		c.Balances = append(c.Balances, Balance{
			Name: b.name, Listen: b.listen.or(netip.AddrPort{}), Mode: b.mode.or(ModeRelay), Backends: plainList(b.backends),
			Scheduler: b.scheduler.or(schedulers()[0]), Persist: b.persist.or(0),
			Cache: b.cache.or(DefaultBalanceCache), Fresh: b.fresh.or(DefaultBalanceFresh), Sorry: b.sorry.or(""),
		})
	}
}

// beside is where a node's own TFTP server listens where a service has an address with the same port:
// at the node's own address, since every address would take the service's as well.
func (f *file) beside(n Node, all netip.AddrPort) netip.AddrPort {
	for _, b := range f.balances {
		if b.listen != nil && b.listen.v.Port() == all.Port() && slices.Contains(n.Roles, RoleLB) {
			return netip.AddrPortFrom(n.Addr, all.Port())
		}
	}
	return all
}

// besideService reports whether the TFTP server listens at the node's own address because of a service.
func (c *Config) besideService() bool {
	return c.TFTP.Addr() == c.Node.Addr && slices.Contains(c.Node.Roles, RoleLB) &&
		slices.ContainsFunc(c.Balances, func(b Balance) bool { return b.Listen.Port() == c.TFTP.Port() })
}

func (c *Config) writeBalances(line func(string, ...any)) {
	if len(c.Balances) == 0 {
		return
	}
	line("\nlb:")
	line("  services:")
	for _, b := range c.Balances {
		line("    %s:", plain(b.Name))
		line("      listen: %s", b.Listen)
		line("      mode: %s", b.Mode)
		var names []string
		for _, x := range b.Backends {
			if x.Weight != 1 {
				x.Name = fmt.Sprintf("%s*%d", x.Name, x.Weight)
			}
			names = append(names, x.Name)
		}
		line("      backends: %s", flow(names))
		line("      scheduler: %s", b.Scheduler)
		if b.Persist > 0 {
			line("      persistence: {source_ip: %s}", durationText(b.Persist))
		}
		cache := "off"
		if b.Cache > 0 {
			cache = sizeText(b.Cache)
		}
		line("      cache: %s", cache)
		line("      fresh: %s", durationText(b.Fresh))
		if b.Sorry != "" {
			line("      sorry: %s", plain(b.Sorry))
		}
	}
}
