package dhcp4

import (
	"context"
	"net/netip"

	"surefoot/internal/boot"
	"surefoot/internal/iface"
)

// watch follows the interfaces until ctx ends, and counts what their sockets lost.
func (s *Server) watch(ctx context.Context) {
	var list []*iface.Interface
	for _, p := range s.ports {
		list = append(list, p.iface)
	}
	iface.Watch(ctx, s.d.Log.With("role", Role), s.links, list, func() {
		for _, p := range s.ports {
			if n := p.raw.Dropped(); n > 0 {
				s.lost(p, int(n), "lost by the kernel")
			}
		}
		s.own()
	})
}

// follow is how the port follows its interface.
func (p *port) follow() *iface.Interface {
	return &iface.Interface{
		Name:   p.name,
		Served: func(index int) bool { return index == p.index && !p.raw.Gone() },
		Rebind: p.rebind,
		Saw:    p.saw,
	}
}

func (p *port) rebind(index int) error {
	if err := p.raw.Rebind(index); err != nil {
		return err
	}
	if err := p.arp.Rebind(index); err != nil {
		return err
	}
	if p.held != nil {
		if err := p.held.Rebind(p.name); err != nil {
			return err
		}
	}
	p.index = index
	return nil
}

// saw is what packets go by from now on.
func (p *port) saw(mac boot.MAC, addrs []netip.Prefix) {
	at := Link{Name: p.name, MAC: mac, Addrs: addrs}
	if was := p.link.Load(); was != nil {
		at.Own = was.Own
	}
	p.link.Store(&at)
}

// own tells each port which addresses the others have: a relay may ask any of them.
func (s *Server) own() {
	for _, p := range s.ports {
		at := *p.at()
		at.Own = nil
		for _, other := range s.ports {
			if other != p {
				for _, a := range other.at().Addrs {
					at.Own = append(at.Own, a.Addr())
				}
			}
		}
		if self := s.plan.Load().self.Addr(); self.IsValid() {
			at.Own = append(at.Own, self)
		}
		p.link.Store(&at)
	}
}
