package config

import (
	"net/netip"
	"slices"
	"strings"

	"surefoot/internal/boot"
)

// vip is the service address that a network's machines are sent to, "" if none.
func (n *fileNetwork) vip() string {
	if n.deliver == nil {
		return ""
	}
	name, ok := strings.CutPrefix(string(n.deliver.v), boot.DeliverVIP)
	if !ok {
		return ""
	}
	return name
}

// behind are the servers that stand behind a service address: the backends of the service that listens there, else the
// nodes that may have the address.
func (f *file) behind(v *fileVIP) []string {
	var out []string
	for i := range f.balances {
		b := &f.balances[i]
		at, _ := b.address(f)
		if v.address == nil || at != v.address.v.Addr() {
			continue
		}
		for _, x := range b.backends {
			out = append(out, x.v.Name)
		}
		for _, s := range f.servers { // the service itself, as rules name it
			if s.tftp != nil && s.tftp.v.Addr() == at {
				out = append(out, s.name)
			}
		}
	}
	if out != nil {
		return out
	}
	for _, m := range v.members(f) {
		out = append(out, m.Name)
	}
	return out
}

// elsewhere finds a node that may have an address, at which its own TFTP server does not listen because of a service.
func (f *file) elsewhere(v *fileVIP) (node, service string) {
	for i := range f.balances {
		if at, _ := f.balances[i].address(f); at == v.address.v.Addr() {
			return "", ""
		}
	}
	for _, m := range v.members(f) {
		n := f.node(m.Name)
		if n == nil || f.tftpListen != nil || !slices.Contains(f.runs(n), RoleLB) {
			continue
		}
		for _, b := range f.balances {
			if b.listen != nil && b.listen.v.Port() == DefaultTFTPPort {
				return m.Name, b.name
			}
		}
	}
	return "", ""
}

// checkDeliveries looks for networks that name a service address that is not there, or that leads nowhere.
func (d *decoder) checkDeliveries(f *file) {
	var names []string
	for _, v := range f.vips {
		names = append(names, v.name)
	}
	for i := range f.networks {
		n := &f.networks[i]
		name := n.vip()
		if name == "" {
			continue
		}
		at := slices.IndexFunc(f.vips, func(v fileVIP) bool { return v.name == name })
		if at < 0 {
			fa := faultf("there is no service address %s in vips", quote(name))
			if len(names) == 0 {
				d.report(n.deliver.at, fa.do("write one: vips: {%s: {address: 10.10.0.20/22, vrid: 51}}", name))
			} else {
				d.report(n.deliver.at, fa.do("%s", didYouMean(name, names)))
			}
			continue
		}
		v := &f.vips[at]
		if v.address == nil {
			continue
		}
		if v.address.v.Addr().Is6() {
			d.report(n.deliver.at, faultf("%s is an IPv6 address, and deliver says how IPv4 clients hear of their file", v.address.v.Addr()).do("name a service address of IPv4"))
			continue
		}
		behind := f.behind(v)
		reached := !f.rulesKnown || slices.ContainsFunc(f.rules, func(r fileRule) bool {
			from := plainList(r.from)
			if from == nil {
				from = f.handing()
			}
			return slices.ContainsFunc(from, func(s string) bool { return slices.Contains(behind, s) })
		})
		if who, service := f.elsewhere(v); who != "" {
			d.report(n.deliver.at, faultf("on node %s TFTP listens at the node's own address, since the service %s has the same port: nobody would answer at %s", who, service, v.address.v.Addr()).
				do("name a service address that a service listens at, or let nodes without the role lb have this one"))
		}
		if !reached {
			d.report(n.deliver.at, faultf("no rule has a file from a server behind %s (%s), so no machine would be sent there", name, strings.Join(behind, ", ")).
				do("name one of them in a rule's from, or say deliver: proxy"))
		}
	}
}

// resolveDeliveries makes servers of the service addresses that networks name.
func (c *Config) resolveDeliveries() {
	for _, n := range c.Site.Networks {
		i := slices.IndexFunc(c.VIPs, func(v VIP) bool { return v.Name == n.VIP })
		if i < 0 {
			continue
		}
		if c.Site.VIPs == nil {
			c.Site.VIPs = map[string]boot.ServiceAddress{}
		}
		c.Site.VIPs[n.VIP] = c.serviceAddress(c.VIPs[i])
	}
}

func (c *Config) serviceAddress(v VIP) boot.ServiceAddress {
	a := v.Address.Addr()
	out := boot.ServiceAddress{Server: boot.Server{Name: boot.DeliverVIP + v.Name}}
	for _, b := range c.Balances {
		if b.Listen.Addr() != a {
			continue
		}
		out.Server.TFTP = b.Listen
		for _, x := range b.Backends {
			out.Behind = append(out.Behind, x.Name)
		}
		for name, s := range c.Site.Servers {
			if s.TFTP == b.Listen {
				out.Behind = append(out.Behind, name)
			}
		}
	}
	if out.Behind != nil {
		slices.Sort(out.Behind)
		return out
	}
	out.Server.Node = true
	answers := func(own, all netip.AddrPort) bool {
		return own.IsValid() && (all.Addr().IsUnspecified() || all.Addr() == a)
	}
	for _, m := range v.Nodes {
		s := c.Site.Servers[m.Name]
		out.Behind = append(out.Behind, m.Name)
		if answers(s.TFTP, c.TFTP) {
			out.Server.TFTP = netip.AddrPortFrom(a, s.TFTP.Port())
		}
		if answers(s.HTTP, c.HTTP) {
			out.Server.HTTP = netip.AddrPortFrom(a, s.HTTP.Port())
		}
	}
	return out
}
