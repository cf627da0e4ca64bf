package dsr

import (
	"context"
	"fmt"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/bpf"
	"surefoot/internal/lb"
)

func mac(m [6]byte) string { return boot.MAC(m).String() }

// Counters are what went to each backend since the maps were made, which may be before this process began.
func (p *Plane) Counters(context.Context) ([]lb.Count, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.path == nil {
		return nil, nil
	}
	var out []lb.Count
	for _, t := range p.tables {
		s := p.live[bpf.Addr(t.Service.Listen.Addr().As16())]
		ids := identify(t.Service.Backends)
		for i, b := range t.Service.Backends {
			for _, x := range s.Backend[:s.Backends] {
				if x.ID != ids[i] {
					continue
				}
				c, err := p.path.Count(uint32(x.Counter))
				if err != nil {
					return nil, fmt.Errorf("service %s: backend %s: %w", t.Service.Name, b.Name, err)
				}
				out = append(out, lb.Count{Service: t.Service.Name, Backend: b.Name, Packets: c.Packets, Bytes: c.Bytes, Requests: c.Requests, Retries: c.Retries})
			}
		}
	}
	return out, nil
}

// NotForwarded counts packets that went to no backend, by reason, since the maps were made.
func (p *Plane) NotForwarded() (map[bpf.Reason]uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.path == nil {
		return nil, nil
	}
	return p.path.NotForwarded()
}
