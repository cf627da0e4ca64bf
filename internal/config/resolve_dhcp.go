package config

import (
	"cmp"
	"net/netip"
	"path/filepath"
	"slices"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
)

// resolveDHCP fills in the scopes of the networks that deliver by dhcp.
func (c *Config) resolveDHCP(f *file) {
	general := f.dhcp.over(defaultDHCP())
	for _, n := range c.Site.Networks {
		i := slices.IndexFunc(f.networks, func(w fileNetwork) bool { return w.name == n.Name })
		if n.Deliver != boot.DeliverDHCP || i < 0 {
			continue
		}
		w := f.networks[i].dhcp
		s := DHCPScope{
			Network: n.Name, Subnet: n.Subnet, Ranges: plainList(w.ranges), Exclude: plainList(w.exclude),
			Routers: plainList(w.routers), Routes: plainList(w.routes), Wire: w.wire.or(""), DHCPSettings: w.over(general),
		}
		for _, p := range w.split {
			s.Split = append(s.Split, NodeRange{p.node.or(""), p.part.or(AddrRange{})})
		}
		s.MaxLease = max(s.MaxLease, s.Lease)
		slices.SortFunc(s.Ranges, func(a, b AddrRange) int { return a.From.Compare(b.From) })
		c.ownAddresses(&s)
		c.DHCP.Scopes = append(c.DHCP.Scopes, s)
	}
	if len(c.DHCP.Scopes) > 0 {
		c.DHCP.Leases = f.dhcp.leases.or(filepath.Join(c.State, "leases.db"))
	}
}

// ownAddresses takes the addresses of the site's own servers and routers out of the ranges: no
// machine is to have one of them, whatever else the file says.
func (c *Config) ownAddresses(s *DHCPScope) {
	own := slices.Clone(s.Routers)
	for _, srv := range c.Site.Servers {
		for _, a := range []netip.Addr{srv.TFTP.Addr(), srv.HTTP.Addr(), srv.PXE} {
			if a.IsValid() {
				own = append(own, a)
			}
		}
	}
	for _, n := range c.Nodes {
		own = append(own, n.Addr)
	}
	slices.SortFunc(own, netip.Addr.Compare)
	for _, a := range slices.Compact(own) {
		in := func(r AddrRange) bool { return r.has(a) }
		if slices.ContainsFunc(s.Ranges, in) && !slices.ContainsFunc(s.Exclude, in) {
			s.Exclude = append(s.Exclude, AddrRange{a, a})
		}
	}
}

// over is what holds where the file says this on top of something else.
func (f fileDHCP) over(s DHCPSettings) DHCPSettings {
	s.Lease, s.MinLease, s.MaxLease = f.lease.or(s.Lease), f.minLease.or(s.MinLease), f.maxLease.or(s.MaxLease)
	s.OfferTime, s.DeclineTime, s.Rest = f.offer.or(s.OfferTime), f.decline.or(s.DeclineTime), f.rest.or(s.Rest)
	s.Authoritative, s.NAKPXE, s.ConflictCheck = f.authoritative.or(s.Authoritative), f.nakPXE.or(s.NAKPXE), f.conflict.or(s.ConflictCheck)
	s.Identity, s.Broadcast, s.Option66 = f.identity.or(s.Identity), f.broadcast.or(s.Broadcast), f.option66.or(s.Option66)
	s.Domain, s.MTU, s.ConflictWait = f.domain.or(s.Domain), f.mtu.or(s.MTU), f.conflictWait.or(s.ConflictWait)
	if len(f.dns) > 0 {
		s.DNS = plainList(f.dns)
	}
	if len(f.ntp) > 0 {
		s.NTP = plainList(f.ntp)
	}
	mine := resolveOptions(f.options)
	for _, o := range s.Options {
		if !slices.ContainsFunc(mine, func(m DHCPOption) bool { return m.Code == o.Code }) {
			mine = append(mine, o)
		}
	}
	s.Options = mine
	return s
}

func resolveOptions(list []fileOption) []DHCPOption {
	var out []DHCPOption
	for _, o := range list {
		name, text := o.option.or(""), o.value.or("")
		code, err := dhcp4.ParseCode(name)
		data, bad := dhcp4.ParseValue(code, text)
		if cmp.Or(err, bad) == nil { // all of it was checked
			out = append(out, DHCPOption{Option: name, Code: uint8(code), Value: text, Data: data, Always: o.always.or(false)})
		}
	}
	return out
}

// bootOptions are a rule's options as package boot has them.
func bootOptions(list []fileOption) []boot.Option {
	var out []boot.Option
	for _, o := range resolveOptions(list) {
		out = append(out, boot.Option{Code: o.Code, Text: o.Value, Data: o.Data, Always: o.Always})
	}
	return out
}
