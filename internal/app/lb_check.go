package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"surefoot/internal/config"
	"surefoot/internal/lb"
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
		c := check.Service{Name: b.Name, Mode: s.Mode, Address: b.Listen}
		for _, x := range s.Backends {
			c.Backends = append(c.Backends, check.Backend{Name: x.Name, Addr: x.TFTP})
		}
		for _, r := range cfg.Site.Rules { // the first one that leads to the service, or to a server behind it
			leads := slices.ContainsFunc(r.From, func(from string) bool {
				return cfg.Site.Servers[from].TFTP == b.Listen || slices.ContainsFunc(s.Backends, func(x lb.Backend) bool { return x.Name == from })
			})
			if leads && !strings.Contains(r.File, "://") {
				c.File, c.Contains = testName(r.File), r.Contains
				break
			}
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
