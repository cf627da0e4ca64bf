package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"surefoot/internal/boot"
)

func (c *Config) writeDHCP(line func(string, ...any)) {
	if c.DHCP.Leases != "" {
		line("\ndhcp: {leases: %s}", plain(c.DHCP.Leases))
	}
}

// writeScope is what a network says of its DHCP, with everything that the section dhcp says too.
func (c *Config) writeScope(line func(string, ...any), network string) {
	for _, s := range c.DHCP.Scopes {
		if s.Network != network {
			continue
		}
		line("    dhcp:")
		list := func(key string, values []string) {
			if len(values) > 0 {
				line("      %s: [%s]", key, strings.Join(values, ", "))
			}
		}
		list("range", rangeTexts(s.Ranges))
		list("exclude", rangeTexts(s.Exclude))
		if len(s.Split) > 0 {
			line("      split:")
		}
		for _, p := range s.Split {
			line("        - {node: %s, range: %s}", plain(p.Node), p.AddrRange)
		}
		list("router", addrTexts(s.Routers))
		var routes []string
		for _, r := range s.Routes {
			routes = append(routes, r.String())
		}
		list("routes", routes)
		if s.Wire != "" {
			line("      wire: %s", plain(s.Wire))
		}
		line("      lease: %s", spanText(s.Lease))
		line("      min_lease: %s", spanText(s.MinLease))
		line("      max_lease: %s", spanText(s.MaxLease))
		line("      offer_time: %s", durationText(s.OfferTime))
		line("      decline_time: %s", spanText(s.DeclineTime))
		line("      rest: %s", spanText(s.Rest))
		line("      authoritative: %t", s.Authoritative)
		line("      nak_pxe: %t", s.NAKPXE)
		line("      conflict_check: %t", s.ConflictCheck)
		line("      conflict_wait: %s", durationText(s.ConflictWait))
		line("      identity: %s", s.Identity)
		line("      broadcast: %s", s.Broadcast)
		line("      option_66: %s", s.Option66)
		list("dns", addrTexts(s.DNS))
		list("ntp", addrTexts(s.NTP))
		if s.Domain != "" {
			line("      domain: %s", plain(s.Domain))
		}
		if s.MTU > 0 {
			line("      mtu: %d", s.MTU)
		}
		writeOptions(line, "      ", s.Options)
	}
}

func writeOptions(line func(string, ...any), indent string, options []DHCPOption) {
	if len(options) > 0 {
		line("%soptions:", indent)
	}
	for _, o := range options {
		always := ""
		if o.Always {
			always = ", always: true"
		}
		line("%s  - {option: %s, value: %s%s}", indent, optionText(o.Option), quoted(o.Value), always)
	}
}

// optionText writes a number as one.
func optionText(s string) string {
	if digitsOnly.MatchString(s) {
		return s
	}
	return plain(s)
}

// quoted writes a text in quotes, so that no reader takes it for a number.
func quoted(s string) string {
	if p := plain(s); strings.HasPrefix(p, `"`) {
		return p
	}
	return fmt.Sprintf("%q", s)
}

func rangeTexts(list []AddrRange) []string {
	var out []string
	for _, r := range list {
		out = append(out, r.String())
	}
	return out
}

func addrTexts(list []netip.Addr) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.String())
	}
	return out
}

// writeRuleOptions writes them with their numbers: that is what a rule keeps of them.
func writeRuleOptions(line func(string, ...any), r boot.Rule) {
	var list []DHCPOption
	for _, o := range r.Options {
		list = append(list, DHCPOption{Option: strconv.Itoa(int(o.Code)), Value: o.Text, Always: o.Always})
	}
	writeOptions(line, "    ", list)
}
