package proxydhcp

import (
	"context"
	"net/netip"

	"surefoot/internal/boot"
	"surefoot/internal/iface"
	"surefoot/internal/kernel/bind"
)

// watch follows the interfaces until ctx ends.
func (s *Server) watch(ctx context.Context) {
	var list []*iface.Interface
	for _, p := range s.ports {
		list = append(list, p.iface)
	}
	iface.Watch(ctx, s.d.Log.With("role", Role), s.links, list, func() {})
}

// follow is how the port follows its interface.
func (p *port) follow() *iface.Interface {
	return &iface.Interface{
		Name:   p.name,
		Served: func(index int) bool { return index == p.index && !p.raw.Gone() },
		Rebind: p.rebind,
		Saw:    func(mac boot.MAC, addrs []netip.Prefix) { p.link.Store(&Link{Name: p.name, MAC: mac, Addrs: addrs}) },
	}
}

func (p *port) rebind(index int) error {
	if err := bind.ToDevice(p.udp, p.name); err != nil {
		return err
	}
	if err := p.raw.Rebind(index); err != nil {
		return err
	}
	p.index = index
	return nil
}
