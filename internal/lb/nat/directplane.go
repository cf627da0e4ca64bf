package nat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"surefoot/internal/kernel/neigh"
	"surefoot/internal/kernel/nft"
	"surefoot/internal/lb"
)

// Direct is the data path of services with direct server return, where the kernel permits no BPF.
type Direct struct {
	log *slog.Logger

	mu     sync.Mutex // guards the rest
	at     standing
	tables []lb.Table
	hops   []hop
	silent map[netip.Addr]bool // whom nobody on the link answered for
}

var (
	_ lb.Plane   = (*Direct)(nil)
	_ lb.Checker = (*Direct)(nil)
)

// NewDirect makes a plane.
func NewDirect(d Deps) *Direct {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Direct{log: d.Log, at: standing{family: familyDirect, table: tableDirect}}
}

// Allowed says whether the kernel, nftables and the capabilities of the process permit it.
func (p *Direct) Allowed(ctx context.Context) error {
	return nft.Check(ctx, "add table "+familyDirect+" "+tableDirect+"\n")
}

// Apply makes the kernel follow these tables and no others, in one transaction.
func (p *Direct) Apply(ctx context.Context, tables []lb.Table) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	hops, err := p.await(ctx, tables)
	if err != nil {
		return err
	}
	err = p.at.change(ctx, func(have nft.Listing) (string, error) {
		if len(hops) == 0 {
			return "", nil
		}
		return redirection(hops, have)
	})
	if err != nil {
		return err
	}
	p.tables, p.hops = slices.Clone(tables), hops
	for _, h := range hops {
		for _, i := range h.Alive {
			if _, ok := h.macs[i]; !ok {
				b := h.Service.Backends[i]
				p.log.Warn("a backend gets nothing: nobody on the link answers for its address", "role", "lb", "service", h.Service.Name, "backend", b.Name, "address", b.TFTP.Addr(), "if", h.link.name)
			}
		}
	}
	return nil
}

// patience is how long Apply waits for the MACs of backends that nobody was asked for yet.
const patience = time.Second

// await finds the MACs of the living. Who did not answer before is not waited for again.
func (p *Direct) await(ctx context.Context, tables []lb.Table) ([]hop, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(patience / 50)
	defer look.Stop()
	for {
		hops, err := hopsOf(tables)
		if err != nil {
			return nil, err
		}
		missing := map[netip.Addr]bool{}
		again := false
		for _, h := range hops {
			for _, i := range h.Alive {
				if _, ok := h.macs[i]; !ok {
					a := h.Service.Backends[i].TFTP.Addr()
					missing[a] = true
					again = again || !p.silent[a]
				}
			}
		}
		if again {
			select {
			case <-look.C:
				continue
			case <-ctx.Done():
			}
		}
		p.silent = missing
		return hops, nil
	}
}

// hopsOf asks the kernel for the MACs of interfaces and backends. Whom it does not know is asked for, and
// is known the next time.
func hopsOf(tables []lb.Table) ([]hop, error) {
	if len(tables) == 0 {
		return nil, nil
	}
	links, err := neigh.Open()
	if err != nil {
		return nil, err
	}
	defer links.Close()
	var out []hop
	for _, t := range tables {
		i, err := links.Interface(t.Service.Interface)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", t.Service.Name, err)
		}
		known, err := links.Of(i.Index)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", t.Service.Name, err)
		}
		h := hop{Table: t, link: link{name: i.Name, mac: i.MAC}, macs: map[int][6]byte{}}
		for j, b := range t.Service.Backends {
			a := b.TFTP.Addr()
			if e := known[a]; e.Up {
				h.macs[j] = e.MAC
			}
			_ = links.Ask(i.Index, a) // told by the warning, if nobody answers
		}
		out = append(out, h)
	}
	return out, nil
}

var errOther = errors.New("a MAC address of the link is another one now")

// Check says whether the rules stand as Apply left them, and whether the link still has the same MACs.
func (p *Direct) Check(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	hops, err := hopsOf(p.tables)
	if err != nil {
		return err
	}
	same := slices.EqualFunc(hops, p.hops, func(a, b hop) bool { return a.link == b.link && maps.Equal(a.macs, b.macs) })
	if !same {
		return errOther
	}
	return p.at.look(ctx)
}

// Counters are since the rules were made first, which may be before this process began.
func (p *Direct) Counters(ctx context.Context) ([]lb.Count, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return counts(ctx, &p.at, p.tables)
}

// Leave lets packets flow on: the rules need no process.
func (p *Direct) Leave() error { return nil }

// Remove takes the rules away, also those that a former process left.
func (p *Direct) Remove() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), removeWithin)
	defer cancel()
	p.tables, p.hops = nil, nil
	return p.at.remove(ctx)
}
