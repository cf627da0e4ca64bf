package dsr

import (
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/kernel/bpf"
	"surefoot/internal/lb"
	"surefoot/internal/wire/lbpeer"
)

// views is what this node sees of its services.
func (p *Plane) views() []lbpeer.View {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []lbpeer.View
	for _, t := range p.tables {
		v := lbpeer.View{Service: t.Service.Listen.Addr().Unmap(), Active: t.Active}
		for i, id := range identify(t.Service.Backends) {
			v.Backends = append(v.Backends, lbpeer.Backend{ID: id, Alive: slices.Contains(t.Alive, i), Drained: slices.Contains(t.Drained, i)})
		}
		out = append(out, v)
	}
	return out
}

// deviations are the clients of an active service that have another backend than another balancer would give them,
// which knows nothing of them: those that spoke last, at most so many. By turn these are all.
func (p *Plane) deviations(service netip.Addr, limit int, now uint64) []lbpeer.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, t := p.serving(service)
	if s == nil || !t.Active {
		return nil
	}
	deal, err := lb.NewDeal(&t.Service, t.Alive)
	if err != nil {
		return nil
	}
	ids := identify(t.Service.Backends)
	var out []lbpeer.Client
	_ = p.path.Clients(func(c bpf.Client, k bpf.Kept) bool {
		if c.Service != bpf.Addr(service.As16()) || now-k.Seen > s.Timeout || now < k.Seen {
			return true
		}
		from := netip.AddrFrom16(c.From).Unmap()
		if first := deal.First(from); !deal.ByTurn && first >= 0 && ids[first] == k.ID {
			return true
		}
		out = append(out, lbpeer.Client{From: from, Backend: k.ID, Idle: uint32((now - k.Seen) / uint64(time.Millisecond))})
		return true
	})
	slices.SortFunc(out, func(a, b lbpeer.Client) int { return int(a.Idle) - int(b.Idle) })
	return out[:min(len(out), limit)]
}

// serving is what the kernel follows for an address. p.mu is held.
func (p *Plane) serving(service netip.Addr) (*bpf.Service, *lb.Table) {
	if p.path == nil {
		return nil, nil
	}
	for i := range p.tables {
		if t := &p.tables[i]; t.Service.Listen.Addr().Unmap() == service {
			return p.live[bpf.Addr(service.As16())], t
		}
	}
	return nil, nil
}

// learn notes the clients of another balancer that is active, as long as this one is not.
func (p *Plane) learn(service netip.Addr, clients []lbpeer.Client, now uint64) (learnt []netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, t := p.serving(service)
	if s == nil || t.Active {
		return nil
	}
	for _, c := range clients {
		place := slices.IndexFunc(s.Backend[:s.Backends], func(b bpf.Backend) bool { return b.ID == c.Backend })
		seen := now - uint64(c.Idle)*uint64(time.Millisecond)
		if place < 0 || seen > now {
			continue
		}
		key := bpf.Client{Service: bpf.Addr(service.As16()), From: bpf.Addr(c.From.As16())}
		if p.path.Set(key, bpf.Kept{Seen: seen, ID: c.Backend, Backend: uint8(place)}) == nil {
			learnt = append(learnt, c.From)
		}
	}
	return learnt
}

// forget drops clients of which the other balancer does not speak any more.
func (p *Plane) forget(service netip.Addr, clients []netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, t := p.serving(service); s == nil || t.Active {
		return
	}
	for _, c := range clients {
		_ = p.path.Forget(bpf.Client{Service: bpf.Addr(service.As16()), From: bpf.Addr(c.As16())})
	}
}
