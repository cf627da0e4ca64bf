package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/serve/dhcp4"
	wire "surefoot/internal/wire/dhcp4"
)

// dhcpServer is the role with the file of its leases, which is opened with its sockets.
type dhcpServer struct {
	*dhcp4.Server
	leases *leases
	file   string
}

// Listen opens the leases, then the sockets.
func (s *dhcpServer) Listen(ctx context.Context) error {
	if err := s.leases.open(ctx, s.file); err != nil {
		return err
	}
	return s.Server.Listen(ctx)
}

func (s *setup) hasDHCP() bool {
	return s.has(roleDHCP) && len(s.DHCP.Scopes) > 0 && len(s.Node.Interfaces) > 0
}

// dhcpConfig is what the role is told.
func (s *setup) dhcpConfig() dhcp4.Config {
	c := dhcp4.Config{
		Node: s.Node.Name, Site: &s.Site, Interfaces: s.Node.Interfaces, Rules: map[string]dhcp4.Rule{},
		BootService: s.has(roleProxy),
	}
	for _, d := range s.DHCP.Scopes {
		c.Scopes = append(c.Scopes, s.dhcpScope(d))
	}
	for _, r := range s.Site.Rules {
		rule := dhcp4.Rule{RootPath: r.RootPath}
		for _, o := range r.Options {
			rule.Options = append(rule.Options, dhcp4.Option{Code: wire.Code(o.Code), Data: o.Data, Always: o.Always})
		}
		c.Rules[r.Name] = rule
	}
	return c
}

func (s *setup) dhcpScope(d config.DHCPScope) dhcp4.Scope {
	out := dhcp4.Scope{
		Name: d.Network, Subnet: d.Subnet, Link: d.Wire, Authoritative: d.Authoritative, NAKPXE: d.NAKPXE,
		ByClientID: d.Identity == config.IdentityClientID, Broadcast: d.Broadcast == config.BroadcastAlways,
		BOOTP: true, ConflictCheck: d.ConflictCheck, ConflictWait: d.ConflictWait,
		Routers: d.Routers, DNS: d.DNS, NTP: d.NTP, Domain: d.Domain, MTU: uint16(d.MTU), Routes: d.Routes,
		Hosts: map[lease.ID]dhcp4.Host{},
	}
	if d.Option66 == config.ListAll {
		out.Option66 = dhcp4.ListAll
	}
	for _, o := range d.Options {
		out.Options = append(out.Options, dhcp4.Option{Code: wire.Code(o.Code), Data: o.Data, Always: o.Always})
	}
	for mac, r := range reservations(s.Config, d.Network) {
		host := dhcp4.Host{Name: r.Name}
		if r.Name == mac.String() {
			host.Name = ""
		}
		out.Hosts[lease.Hardware(1, mac[:])] = host // without a name as well: the machine is known here
	}
	return out
}

func (a *App) dhcpSlot() *slot {
	return &slot{
		name: roleDHCP,
		make: func(cfg *setup) (server, error) {
			if !cfg.hasDHCP() {
				return nil, nil
			}
			d := dhcp4.Deps{Log: a.log, Now: a.now, Emit: a.starved.emit(a.journal.Emit), Down: a.health.down, Book: a.leases.book, Keeper: a.leases, Refuses: a.leases.refuses}
			if a.leases.shared != nil {
				d.Keeper, d.Shared = a.leases.shared, a.leases.shared
			}
			srv, err := dhcp4.New(cfg.dhcpConfig(), d)
			if err != nil {
				return nil, err
			}
			return &dhcpServer{srv, a.leases, cfg.DHCP.Leases}, nil
		},
		same: func(was, is *setup) bool {
			return was.hasDHCP() == is.hasDHCP() && slices.Equal(was.Node.Interfaces, is.Node.Interfaces)
		},
		apply: func(s server, cfg *setup) {
			err := a.leases.configure(cfg.Config)
			if err = errors.Join(err, s.(*dhcpServer).Apply(cfg.dhcpConfig())); err != nil {
				a.log.Error("the DHCP server goes on with the scopes before", "err", err) // config lets nothing through that it refuses
			}
		},
	}
}

// sameLeases says why another file of leases cannot be taken while the node runs.
func sameLeases(was, is *config.Config) error {
	if was.DHCP.Leases != "" && is.DHCP.Leases != "" && was.DHCP.Leases != is.DHCP.Leases {
		return fmt.Errorf("dhcp.leases cannot change while running: restart surefoot for that")
	}
	return nil
}
