package dsr

import (
	"context"
	"maps"
	"net/netip"
	"time"

	"surefoot/internal/kernel/neigh"
)

// often is how often backends are asked whether they are still there. The kernel sends something only when it has
// not heard of one for its own time (base_reachable_time, 30 s unless set).
const often = time.Second

// follow keeps the hops current until ctx ends.
func (p *Plane) follow(ctx context.Context) {
	defer close(p.stopped)
	tick := time.NewTicker(often)
	defer tick.Stop()
	p.mu.Lock()
	changes := p.table.Changes
	p.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-changes:
			if a.IsValid() && !p.mine(a) {
				continue
			}
			p.again(!a.IsValid())
		case <-tick.C:
			p.again(true)
		}
	}
}

// mine says whether the address is that of a backend.
func (p *Plane) mine(a netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.known[a]
	return ok
}

// again looks at neighbours, and with links at interfaces, and writes what has changed.
func (p *Plane) again(links bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was, at := maps.Clone(p.known), maps.Clone(p.at)
	if links {
		if err := p.attach(); err != nil {
			p.complain("an interface of a service is not as it should be; it is tried again every second", err)
			return
		}
	}
	if err := p.refresh(); err != nil {
		p.complain("backends' MACs are not known; it is tried again every second", err)
		return
	}
	p.told = ""
	if maps.Equal(was, p.known) && maps.Equal(at, p.at) {
		return
	}
	p.tell(was)
	if err := p.write(); err != nil {
		p.d.Log.Error("the kernel does not take the change", "role", "lb", "err", err)
	}
}

// complain logs what does not go, once.
func (p *Plane) complain(what string, err error) {
	if text := err.Error(); text != p.told {
		p.told = text
		p.d.Log.Warn(what, "role", "lb", "err", err)
	}
}

func (p *Plane) tell(was map[netip.Addr]hop) {
	for a, h := range p.known {
		switch old := was[a]; {
		case old == h:
		case h.up && old.mac != [6]byte{} && old.mac != h.mac:
			p.d.Log.Warn("a backend has another MAC now", "role", "lb", "backend", a, "mac", mac(h.mac), "from", mac(old.mac))
		case h.up && !old.up:
			p.d.Log.Info("a backend is on the link", "role", "lb", "backend", a, "mac", mac(h.mac))
		case !h.up && old.up:
			p.d.Log.Warn("a backend does not answer ARP or neighbour discovery and gets no new clients", "role", "lb", "backend", a)
		}
	}
}

// refresh reads the MACs of all backends, and has the kernel ask for those that it is not sure of.
func (p *Plane) refresh() error {
	known := map[netip.Addr]hop{}
	lists := map[int]map[netip.Addr]neigh.Entry{}
	for _, t := range p.tables {
		i := p.at[t.Service.Name]
		list, ok := lists[i.Index]
		if !ok {
			var err error
			if list, err = p.table.Of(i.Index); err != nil {
				return err
			}
			lists[i.Index] = list
		}
		for _, b := range t.Service.Backends {
			a := b.TFTP.Addr().Unmap()
			if _, done := known[a]; done {
				continue
			}
			h := p.known[a]
			name, local, err := p.table.Toward(a)
			h.local = local
			switch e, ok := list[a]; {
			case local:
				h.mac, h.up = i.MAC, true
			case err != nil || name != i.Name:
				h.up = false
			case ok && e.Up:
				h.mac, h.up = e.MAC, true
			case ok:
				h.up = false
			}
			known[a] = h
			if !local {
				if err := p.table.Ask(i.Index, a); err != nil {
					return err
				}
				p.asked[a] = true
			}
		}
	}
	changed := !maps.Equal(known, p.known)
	p.known = known
	if changed {
		close(p.fresh)
		p.fresh = make(chan struct{})
	}
	return nil
}

// await gives backends that were never heard of a moment to be found.
func (p *Plane) await(ctx context.Context) error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		p.mu.Lock()
		missing, fresh := false, p.fresh
		for _, h := range p.known {
			missing = missing || !h.local && h.mac == [6]byte{}
		}
		p.mu.Unlock()
		if !missing {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return nil
		case <-fresh:
		}
	}
}
