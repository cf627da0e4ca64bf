package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/config"
	"surefoot/internal/kernel/conntrack"
	"surefoot/internal/kernel/forward"
	"surefoot/internal/kernel/link"
	"surefoot/internal/lb"
	"surefoot/internal/lb/nat"
)

// translating is the plane of nat and snat, with the settings of the kernel that it needs.
type translating struct {
	*nat.Plane
	log  *slog.Logger
	now  func() time.Time
	sets func(service string) bool // the site file says yes
	told func(now time.Time, n, most int)

	expecting *expecting
	small     bool // that the table stays small was told
}

func (a *App) newTranslating() *translating {
	source := func(backend netip.Addr) netip.Addr {
		r, err := link.RouteTo(backend)
		if err != nil {
			return netip.Addr{} // masquerading takes what the kernel takes
		}
		cfg := a.setup()
		if slices.ContainsFunc(cfg.Balances, func(b config.Balance) bool { return b.Address == r.Source }) ||
			slices.ContainsFunc(cfg.VIPs, func(v config.VIP) bool { return v.Address.Addr() == r.Source }) {
			if backend.Is6() { // of IPv6 the address that came last is preferred
				return cfg.Node.Addr6
			}
			return cfg.Node.Addr
		}
		return r.Source
	}
	return &translating{
		Plane: nat.New(nat.Deps{Log: a.log, Source: source}), log: a.log, now: a.now, expecting: &a.expecting,
		told: func(now time.Time, n, most int) { a.alerting.expectations(now, n, most) },
		sets: func(service string) bool {
			return slices.ContainsFunc(a.setup().Balances, func(b config.Balance) bool { return b.Name == service && b.Forwarding == config.ForwardingSet })
		},
	}
}

// Allowed says whether the process may do what these tables need.
func (p *translating) Allowed(ctx context.Context, _ []lb.Table) error { return p.Plane.Allowed(ctx) }

// Apply sets what the site file lets it set, and follows.
func (p *translating) Apply(ctx context.Context, tables []lb.Table) error {
	for _, t := range tables {
		if !p.sets(t.Service.Name) {
			continue
		}
		for _, s := range forward.Missing(t.Service.Listen.Addr(), t.Service.Interface) {
			if err := forward.Set(s); err != nil {
				return fmt.Errorf("service %s has forwarding: set: %w", t.Service.Name, err)
			}
			p.log.Info("a setting of the kernel was changed for a service", "role", roleLB, "service", t.Service.Name, "setting", s.String(), "was", s.Is)
		}
		if most, err := conntrack.MaxExpected(); err == nil && most < expectEnough {
			if err := conntrack.SetMaxExpected(expectEnough); err != nil && !p.small {
				p.small = true
				p.log.Warn("the table of expected transfers stays small", "role", roleLB, "service", t.Service.Name, "max", most, "err", err)
			}
		}
	}
	return p.Plane.Apply(ctx, tables)
}

// expectEnough is how many unanswered requests the kernel should be able to hold: twice a storm of ten
// thousand machines, each of which asks twice.
const expectEnough = 1 << 15
