package config

import (
	"net/netip"
	"slices"
	"strings"

	"surefoot/internal/boot"
)

// resolveDNS fills in the section's defaults, and the names.
func (c *Config) resolveDNS(f *file) {
	if f.dns == nil {
		return
	}
	c.DNS = DNS{
		Zones:  plainList(f.dns.zones),
		Listen: f.dns.listen.or(netip.AddrPortFrom(c.Node.Addr, DefaultDNSPort)),
		TTL:    f.dns.ttl.or(DefaultDNSTTL), NS: plainList(f.dns.ns), Contact: f.dns.contact.or(""),
		RateLimit: f.dns.rateLimit.or(DefaultDNSRateLimit),
	}
	if len(c.DNS.NS) == 0 {
		for _, n := range c.Nodes {
			if slices.Contains(n.Roles, RoleDNS) {
				c.DNS.NS = append(c.DNS.NS, n.Name)
			}
		}
	}
	taken := map[string]bool{}
	for _, n := range f.dns.names {
		c.Site.Names = append(c.Site.Names, c.name(f, n))
		taken[strings.ToLower(n.name)] = true
	}
	for _, r := range c.Site.Rules {
		name := strings.ToLower(r.Name)
		if taken[name] || f.isHost(name) || !goodDomain(name) || strings.HasSuffix(name, ".") || strings.Contains(r.File, "://") {
			continue
		}
		taken[name] = true
		c.Site.Names = append(c.Site.Names, boot.Name{Name: r.Name, Rule: r.Name, File: r.File, From: slices.Clone(r.From), Order: boot.OrderRotate})
	}
}

// name fills in what the rule of the same name says, else the first for the same file.
func (c *Config) name(f *file, n fileName) boot.Name {
	out := boot.Name{Name: n.name, File: n.file.or(""), From: plainList(n.from), Order: n.order.or(boot.OrderRotate), Answers: n.answers.or(0)}
	var same, file *boot.Rule
	for i := range c.Site.Rules {
		r := &c.Site.Rules[i]
		if r.Name == n.name {
			same = r
		}
		if file == nil && r.File == out.File {
			file = r
		}
	}
	if same != nil && (out.File == "" || out.File == same.File) {
		out.Rule, out.File, file = same.Name, same.File, same
	}
	if out.From == nil && file != nil {
		out.From = slices.Clone(file.From)
	}
	if out.From == nil {
		out.From = f.handing()
	}
	return out
}

func (c *Config) writeDNS(line func(string, ...any)) {
	d := c.DNS
	if len(d.Zones) == 0 {
		return
	}
	line("\ndns:")
	line("  zone: %s", flow(d.Zones))
	if d.Listen != netip.AddrPortFrom(c.Node.Addr, DefaultDNSPort) { // which is another one on each node
		line("  listen: %s", addrText(d.Listen))
	}
	line("  ttl: %s", durationText(d.TTL))
	line("  ns: %s", flow(d.NS))
	if d.Contact != "" {
		line("  contact: %s", plain(d.Contact))
	}
	line("  rate_limit: %d", d.RateLimit)
	line("  names:")
	for _, n := range c.Site.Names {
		line("    %s: {file: %s, from: %s, order: %s, answers: %s}", plain(n.Name), plain(n.File), flow(n.From), n.Order, boot.AnswersText(n.Answers))
	}
}
