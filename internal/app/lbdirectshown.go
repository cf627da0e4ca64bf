package app

import (
	"context"
	"net/netip"
	"slices"

	"surefoot/internal/lb"
)

// By says what carries the packets of a service.
func (d *direct) By(s lb.Service) string {
	if s.Plane == lb.PlaneNFT || d.byNFT && d.refused {
		return byNFT
	}
	return byBPF
}

// Explain asks the one that carries the service.
func (d *direct) Explain(ctx context.Context, t lb.Table, client netip.Addr) (lb.Choice, error) {
	if d.By(t.Service) == byNFT {
		return d.nft.Explain(ctx, t.Service.Name, client)
	}
	if e, ok := any(d.bpf).(lb.Explainer); ok && d.bpf != nil {
		return e.Explain(ctx, t.Service.Name, client)
	}
	// Of the clients that have a backend nothing is known here.
	out := func(server, _ string) bool {
		i := slices.IndexFunc(t.Service.Backends, func(b lb.Backend) bool { return b.Name == server })
		return !slices.Contains(t.Alive, i)
	}
	return lb.Choose(&t.Service, client, "", lb.State{Down: out}), nil
}

// By says what carries the packets of a service.
func (p *translating) By(lb.Service) string { return byNFT }

// Explain asks the kernel.
func (p *translating) Explain(ctx context.Context, t lb.Table, client netip.Addr) (lb.Choice, error) {
	return p.Plane.Explain(ctx, t.Service.Name, client)
}
