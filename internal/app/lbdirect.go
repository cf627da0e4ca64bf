package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"surefoot/internal/kernel/bpf"
	"surefoot/internal/lb"
	"surefoot/internal/lb/dsr"
	"surefoot/internal/lb/nat"
)

// direct is the plane of all services with direct server return: by BPF, or by nftables where the site file
// says so, or lets it be chosen and the kernel permits no BPF.
type direct struct {
	log     *slog.Logger
	now     func() time.Time
	nft     *nat.Direct
	bpf     *dsr.Plane
	byBPF   bool // it has services
	refused bool // the kernel permits no BPF
	byNFT   bool // nftables has services
}

func newDirect(log *slog.Logger, now func() time.Time) *direct {
	return &direct{log: log, now: now, bpf: dsr.New(dsr.Config{}, dsr.Deps{Log: log, Now: now}), nft: nat.NewDirect(nat.Deps{Log: log})}
}

// split says who takes which services.
func (d *direct) split(tables []lb.Table) (byBPF, byNFT []lb.Table, way bpf.Way) {
	way = bpf.Auto
	for _, t := range tables {
		switch t.Service.Plane {
		case lb.PlaneNFT:
			byNFT = append(byNFT, t)
			continue
		case lb.PlaneXDP:
			way = bpf.XDP
		case lb.PlaneTCX:
			way = bpf.TCX
		}
		byBPF = append(byBPF, t)
	}
	if d.refused && way == bpf.Auto {
		byNFT, byBPF = tables, nil
	}
	return byBPF, byNFT, way
}

// Allowed says whether the process may do what these tables need.
func (d *direct) Allowed(ctx context.Context, tables []lb.Table) error {
	byBPF, byNFT, way := d.split(tables)
	if len(byBPF) > 0 {
		if err := bpf.Allowed(); err != nil {
			if way != bpf.Auto {
				return err
			}
			d.refused = true
			d.log.Warn("direct server return goes by nftables: BPF is not permitted", "why", err)
			byNFT = tables
		}
	}
	if len(byNFT) > 0 {
		return d.nft.Allowed(ctx)
	}
	return nil
}

// Apply follows. What leaves one of the two for the other is taken over by that one first.
func (d *direct) Apply(ctx context.Context, tables []lb.Table) error {
	byBPF, byNFT, way := d.split(tables)
	if _, left := bpf.Left(); len(byBPF) > 0 || d.byBPF || left {
		if err := d.applyBPF(ctx, byBPF); err != nil {
			if way != bpf.Auto || !notPermitted(err) {
				return err
			}
			d.refused = true
			d.log.Warn("direct server return goes by nftables: the kernel permits no BPF", "why", err)
			byNFT = tables
		}
	}
	if len(byNFT) == 0 && !d.byNFT && len(tables) > 0 {
		return nil // and a table that a process before left is removed where nothing is wanted of us at all
	}
	d.byNFT = len(byNFT) > 0
	return d.nft.Apply(ctx, byNFT)
}

func (d *direct) applyBPF(ctx context.Context, tables []lb.Table) error {
	if len(tables) == 0 {
		d.byBPF = false
		return d.bpf.Remove()
	}
	d.byBPF = true
	return d.bpf.Apply(ctx, tables)
}

func notPermitted(err error) bool { return errors.As(err, new(*bpf.PermissionError)) }

// Check looks whether rules and programs stand.
func (d *direct) Check(ctx context.Context) error {
	if d.byNFT {
		return d.nft.Check(ctx)
	}
	return d.bpf.Check(ctx)
}

// Counters are those of both.
func (d *direct) Counters(ctx context.Context) ([]lb.Count, error) {
	all, err := d.bpf.Counters(ctx)
	if err != nil || !d.byNFT {
		return all, err
	}
	list, err := d.nft.Counters(ctx)
	return slices.Concat(all, list), err
}

// Leave lets packets flow on.
func (d *direct) Leave() error { return errors.Join(d.nft.Leave(), d.bpf.Leave()) }

// Remove takes both away, also what a process before left.
func (d *direct) Remove() error {
	d.byBPF = false
	return errors.Join(d.nft.Remove(), d.bpf.Remove())
}
