package app

import (
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/health"
	"surefoot/internal/lb"
)

// service is one of the site file in the words of package lb.
func service(cfg *config.Config, b config.Balance) lb.Service {
	s := lb.Service{
		Name: b.Name, Listen: b.Listen, Mode: lb.Mode(b.Mode), Scheduler: lb.Scheduler(b.Scheduler), Persist: b.Persist, Sorry: b.Sorry,
		VIP: b.VIP, Interface: b.Interface, Plane: lb.PlaneKind(b.Plane), Drain: b.Drain,
	}
	for _, text := range b.Ports {
		var p lb.Port
		if p.UnmarshalText([]byte(text)) == nil { // the site file is checked
			s.Ports = append(s.Ports, p)
		}
	}
	if b.InKernel() {
		s.Listen = netip.AddrPortFrom(b.Address, 0)
		if len(s.Ports) > 0 {
			s.Listen = netip.AddrPortFrom(b.Address, s.Ports[0].Number)
		}
	}
	for _, w := range b.Backends {
		srv := cfg.Site.Servers[w.Name]
		at := srv.TFTP
		if b.Address.Is6() {
			at = srv.TFTP6
		}
		s.Backends = append(s.Backends, lb.Backend{Name: w.Name, TFTP: at, Weight: w.Weight})
	}
	return s
}

// condition is what is known of a backend for all files that it is tested for.
type condition struct {
	dead    bool // it does not deliver
	out     bool // dead, or drained and not needed
	drained time.Time
}

// condition of a server, by the one health set.
func conditionOf(cfg *config.Config, snap *health.Snapshot, lacks func(server, file string) bool, server string) condition {
	var c condition
	if d, is := snap.Drained(server); is {
		c.drained = d.Since
	}
	c.out = deadFor(cfg, func(server, file string, by boot.Protocol) bool {
		return lacks(server, file) || snap.Down(server, file, by)
	}, server, "")
	c.dead = deadFor(cfg, func(server, file string, by boot.Protocol) bool {
		e, is := snap.Why(server, file, by)
		return lacks(server, file) || is && e.Reason != boot.ServerDrained
	}, server, "")
	return c
}

// tableOf says who gets the clients of a service now. When only drained ones are left, they do; when
// nobody is, all do: a monitor's mistake must not stop a site.
func tableOf(s lb.Service, active bool, now time.Time, of func(server string) condition) lb.Table {
	t := lb.Table{Service: s, Active: active}
	var able []int // drained, and they would deliver
	for i, b := range s.Backends {
		switch c := of(b.Name); {
		case !c.out:
			t.Alive = append(t.Alive, i)
		case !c.dead && !c.drained.IsZero():
			able = append(able, i)
			if now.Sub(c.drained) < s.Drain {
				t.Drained = append(t.Drained, i)
			}
		}
	}
	if len(t.Alive) > 0 {
		return t
	}
	if t.Alive, t.Drained = able, nil; len(able) > 0 {
		return t
	}
	for i := range s.Backends {
		t.Alive = append(t.Alive, i)
	}
	return t
}

// inKernel are the services whose packets travel by the kernel, if this node balances.
func (s *setup) inKernel() []config.Balance {
	if !s.has(roleLB) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Balances), func(b config.Balance) bool { return !b.InKernel() })
}

// relayed are the others.
func (s *setup) relayed() []config.Balance {
	if !s.has(roleLB) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Balances), config.Balance.InKernel)
}
