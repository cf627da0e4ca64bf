package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lb/check"
)

// Checks are the services of a site file as `surefoot lb check` looks at them; name picks one.
func Checks(cfg *config.Config, name string) ([]check.Service, error) {
	var out []check.Service
	for _, b := range cfg.Balances {
		if name != "" && b.Name != name {
			continue
		}
		s := service(cfg, b)
		c := check.Service{Name: b.Name, Mode: s.Mode, Address: s.Listen}
		for _, x := range s.Backends {
			c.Backends = append(c.Backends, check.Backend{Name: x.Name, Addr: x.TFTP})
		}
		if r := slices.IndexFunc(withBackends(cfg).Rules, func(r boot.Rule) bool {
			return !strings.Contains(r.File, "://") && slices.ContainsFunc(r.From, func(from string) bool { return cfg.Site.Servers[from].TFTP == s.Listen })
		}); r >= 0 {
			c.File, c.Contains = testName(withBackends(cfg).Rules[r].File), withBackends(cfg).Rules[r].Contains
		}
		for _, n := range cfg.Site.Networks {
			if n.Subnet.IsValid() {
				c.Clients = append(c.Clients, n.Subnet)
			}
		}
		out = append(out, c)
	}
	switch {
	case len(cfg.Balances) == 0:
		return nil, errors.New("the site file has no lb.services; --service ADDRESS looks at one without it")
	case len(out) == 0:
		return nil, fmt.Errorf("there is no service %q; there are %s", name, strings.Join(serviceNames(cfg), ", "))
	}
	return out, nil
}
