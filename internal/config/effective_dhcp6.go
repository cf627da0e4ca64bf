package config

import (
	"net/netip"
	"strings"
)

// writeScope6 is what a network says of its DHCPv6.
func (c *Config) writeScope6(line func(string, ...any), network string) {
	for _, s := range c.DHCP.Scopes6 {
		if s.Network != network {
			continue
		}
		line("    dhcp6:")
		list := func(key string, values []string) {
			if len(values) > 0 {
				line("      %s: [%s]", key, strings.Join(values, ", "))
			}
		}
		list("range", quotedAll(rangeTexts(s.Ranges)))
		list("exclude", quotedAll(rangeTexts(s.Exclude)))
		if len(s.Split) > 0 {
			line("      split:")
		}
		for _, p := range s.Split {
			line("        - {node: %s, range: %s}", plain(p.Node), quoted(p.AddrRange.String()))
		}
		line("      lease: %s", spanText(s.Lease))
		line("      preference: %d", s.Preference)
		line("      rapid_commit: %t", s.Rapid)
		list("dns", quotedAll(addrTexts(s.DNS)))
		list("ntp", quotedAll(addrTexts(s.NTP)))
		list("search", quotedAll(s.Search))
	}
}

// quotedAll writes texts in quotes: of an IPv6 address, some readers take a part for a number or a key.
func quotedAll(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, quoted(s))
	}
	return out
}

// endpoint6 is a server's address and port as the site file has it.
func endpoint6(a netip.AddrPort) string { return quoted(a.String()) }
