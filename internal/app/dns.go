package app

import (
	"errors"
	"net/netip"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	dnsrole "surefoot/internal/serve/dns"
)

// dnsSettings are those of the zones.
func dnsSettings(cfg *config.Config) dnsrole.Settings {
	d := cfg.DNS
	return dnsrole.Settings{Zones: d.Zones, NS: d.NS, Contact: d.Contact, TTL: d.TTL, RateLimit: d.RateLimit}
}

func (a *App) dnsSlot() *slot {
	return &slot{
		name: roleDNS,
		make: func(cfg *setup) (server, error) {
			if !cfg.has(roleDNS) {
				return nil, nil
			}
			return dnsrole.New(
				dnsrole.Config{Node: cfg.Node.Name, Listen: cfg.DNS.Listen, Site: &cfg.Site, Zone: dnsSettings(cfg.Config)},
				dnsrole.Deps{Log: a.log, Now: a.now, Emit: a.journal.Emit, Down: a.health.down},
			)
		},
		same: func(was, is *setup) bool {
			return was.has(roleDNS) == is.has(roleDNS) && was.DNS.Listen == is.DNS.Listen
		},
		apply: func(s server, cfg *setup) {
			if err := s.(*dnsrole.Server).Apply(&cfg.Site, dnsSettings(cfg.Config)); err != nil {
				a.log.Error("the DNS server goes on with the zones before", "err", err) // config lets nothing through that it refuses
			}
		},
	}
}

// askDNS explains an answer of the DNS server that runs now; without a name it lists the names.
func (a *App) askDNS(name, qtype, from string) (any, error) {
	for _, s := range a.slots {
		srv, _ := s.get()
		d, ok := srv.(*dnsrole.Server)
		if !ok {
			continue
		}
		if name == "" {
			return d.List(), nil
		}
		t, err := dnsrole.ParseType(qtype)
		if err != nil {
			return nil, err
		}
		p, err := netip.ParsePrefix(from)
		if err != nil {
			return nil, err
		}
		return d.Explain(name, t, p)
	}
	return nil, errors.New("this node does not have the role dns")
}

// DNSZones makes the zones of a configuration without serving them, for explanations.
func DNSZones(cfg *config.Config, down boot.Down) (*dnsrole.Zones, error) {
	if len(cfg.DNS.Zones) == 0 {
		return nil, errors.New("the site file has no section dns")
	}
	return dnsrole.NewZones(&cfg.Site, dnsSettings(cfg), cfg.Node.Name, down)
}
