package app

import (
	"net/netip"
	"slices"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lb"
	"surefoot/internal/watch"
)

// throughServices lets the tests of servers behind direct server return go the way of the clients' packets: a server
// that lacks the service address, or answers from its own, is of no use there however well it delivers.
func throughServices(cfg *config.Config, tests []watch.Test) []watch.Test {
	for _, b := range cfg.Balances {
		s := service(cfg, b)
		if s.Mode != lb.DSR || !b.Listen.Addr().Is4() {
			continue
		}
		behind := watch.Behind{Name: b.Name, Address: b.Listen, Backends: map[string]netip.Addr{}}
		for _, x := range s.Backends {
			if x.TFTP.IsValid() {
				behind.Backends[x.Name] = x.TFTP.Addr()
			}
		}
		tests = behind.Reach(tests, func(server string) bool { return namedItself(&cfg.Site, server) })
	}
	return tests
}

// namedItself reports whether machines may be told a server by its own address: a rule names it, and there is a network
// that is not sent to a service address which it stands behind.
func namedItself(site *boot.Site, server string) bool {
	return slices.ContainsFunc(site.Rules, func(r boot.Rule) bool { return slices.Contains(r.From, server) }) &&
		slices.ContainsFunc(site.Networks, func(n boot.Network) bool {
			return n.Deliver != boot.DeliverNone && (n.VIP == "" || !slices.Contains(site.VIPs[n.VIP].Behind, server))
		})
}
