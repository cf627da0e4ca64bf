package nat

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"surefoot/internal/kernel/conntrack"
	"surefoot/internal/kernel/nft"
	"surefoot/internal/lb"
)

// Deps are what a plane uses of others.
type Deps struct {
	Log *slog.Logger
	// Source is the node's address towards a backend, for snat; the invalid address: what the kernel takes.
	Source func(backend netip.Addr) netip.Addr
}

// Plane is the data path of all services of the modes nat and snat. It opens nothing before the first Apply.
type Plane struct {
	d Deps

	mu     sync.Mutex // guards the rest
	at     standing
	tables []lb.Table
	out    map[conntrack.Pair]bool // whose requests were evicted
}

var (
	_ lb.Plane   = (*Plane)(nil)
	_ lb.Checker = (*Plane)(nil)
)

// New makes a plane.
func New(d Deps) *Plane {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Plane{d: d, at: standing{family: familyNAT, table: tableNAT}}
}

// Allowed says whether the kernel, nftables and the capabilities of the process permit it.
func (p *Plane) Allowed(ctx context.Context) error {
	return nft.Check(ctx, "add table "+familyNAT+" "+tableNAT+"\n")
}

// Apply makes the kernel follow these tables and no others, in one transaction. Then requests that went to
// backends which get no clients any more are forgotten.
func (p *Plane) Apply(ctx context.Context, tables []lb.Table) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	source := map[netip.Addr]netip.Addr{}
	for _, t := range tables {
		if t.Service.Mode != lb.SNAT || p.d.Source == nil {
			continue
		}
		for _, b := range t.Service.Backends {
			if a := p.d.Source(b.TFTP.Addr()); a.IsValid() && a != t.Service.Listen.Addr() {
				source[b.TFTP.Addr()] = a
			}
		}
	}
	err := p.at.change(ctx, func(have nft.Listing) (string, error) {
		if len(tables) == 0 {
			return "", nil
		}
		return translation(tables, source, have)
	})
	if err != nil {
		return err
	}
	gone := outs(tables, p.tables)
	var fresh []conntrack.Pair
	for x := range gone {
		if !p.out[x] {
			fresh = append(fresh, x)
		}
	}
	p.out, p.tables = gone, slices.Clone(tables)
	n, err := conntrack.Evict(fresh)
	if n > 0 {
		p.d.Log.Info("requests that went to backends which get none any more are forgotten, so that their clients may ask again from the same port", "role", "lb", "entries", n)
	}
	return err
}

// outs are the pairs whose requests must not be followed any more: of backends that are dead, or were
// taken out of the site file, and of the address itself, if requests came before the rules.
func outs(is, was []lb.Table) map[conntrack.Pair]bool {
	out := map[conntrack.Pair]bool{}
	serving := map[conntrack.Pair]bool{}
	for _, t := range is {
		vip := t.Service.Listen.Addr()
		for i, b := range t.Service.Backends {
			x := conntrack.Pair{Asked: vip, Backend: b.TFTP.Addr()}
			if slices.Contains(t.Alive, i) || slices.Contains(t.Drained, i) {
				serving[x] = true
			} else {
				out[x] = true
			}
		}
		if t.Active {
			out[conntrack.Pair{Asked: vip, Backend: vip}] = true
		}
	}
	for _, t := range was {
		for _, b := range t.Service.Backends {
			out[conntrack.Pair{Asked: t.Service.Listen.Addr(), Backend: b.TFTP.Addr()}] = true
		}
	}
	for x := range serving { // a backend may stand behind one address twice, by other ports
		delete(out, x)
	}
	return out
}

// Check says whether the rules stand as Apply left them.
func (p *Plane) Check(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at.look(ctx)
}

// Counters are since the rules were made first, which may be before this process began.
func (p *Plane) Counters(ctx context.Context) ([]lb.Count, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return counts(ctx, &p.at, p.tables)
}

func counts(ctx context.Context, at *standing, tables []lb.Table) ([]lb.Count, error) {
	l, there, err := nft.List(ctx, at.family, at.table)
	if err != nil || !there {
		return nil, err
	}
	var out []lb.Count
	for _, t := range tables {
		for _, b := range t.Service.Backends {
			traffic := l.Counters[trafficCounter(t.Service.Name, b.Name)]
			out = append(out, lb.Count{
				Service: t.Service.Name, Backend: b.Name, Packets: traffic.Packets, Bytes: traffic.Bytes,
				Requests: l.Counters[requestCounter(t.Service.Name, b.Name)].Packets,
				Retries:  l.Counters[retryCounter(t.Service.Name, b.Name)].Packets,
			})
		}
	}
	return out, nil
}

// Leave lets packets flow on: the rules need no process.
func (p *Plane) Leave() error { return nil }

// removeWithin bounds taking the rules away.
const removeWithin = 30 * time.Second

// Remove takes the rules away, also those that a former process left.
func (p *Plane) Remove() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), removeWithin)
	defer cancel()
	p.tables, p.out = nil, nil
	return p.at.remove(ctx)
}
