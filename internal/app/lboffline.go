package app

import (
	"errors"
	"net/netip"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lb"
	"surefoot/internal/lb/nat"
	"surefoot/internal/web"
)

// Balances shows the services of a site file without running them.
func Balances(cfg *config.Config, down boot.Down, name string) ([]BalanceView, error) {
	var out []BalanceView
	for _, b := range cfg.Balances {
		if name == "" || b.Name == name {
			out = append(out, viewOf(cfg, down, service(cfg, b), nil))
		}
	}
	switch {
	case len(cfg.Balances) == 0:
		return nil, errors.New("the site file has no lb.services")
	case len(out) == 0:
		return nil, noService(cfg, name)
	}
	return out, nil
}

// ExplainBalance says whom a client would get as the first that asks.
func ExplainBalance(cfg *config.Config, down boot.Down, q web.BalanceQuery) (BalanceChoice, error) {
	from, err := netip.ParseAddr(q.From)
	if err != nil {
		return BalanceChoice{}, err
	}
	list, err := Balances(cfg, down, "")
	if err != nil {
		return BalanceChoice{}, err
	}
	v, err := asked(cfg, list, q.Service, q.To)
	if err != nil {
		return BalanceChoice{}, err
	}
	svc := v.Service
	out := BalanceChoice{Node: cfg.Node.Name, Service: svc.Name, Mode: svc.Mode, From: q.From, File: q.File}
	if svc.Mode == lb.Relay || svc.Mode == lb.DSR && svc.Plane != lb.PlaneNFT {
		out.Choice = lb.Choose(&svc, from, q.File, lb.State{Down: func(server, file string) bool { return deadFor(cfg, down, server, file) }})
		return out, nil
	}
	t := tableOf(svc, true, time.Time{}, func(server string) condition {
		dead := deadFor(cfg, down, server, "")
		return condition{dead: dead, out: dead}
	})
	out.Choice, err = nat.Decide(&t, from, "", 0)
	return out, err
}
