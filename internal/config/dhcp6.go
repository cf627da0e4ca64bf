package config

import (
	"cmp"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp6"
)

// DHCP6Scope is what the DHCPv6 server gives the machines of one network.
type DHCP6Scope struct {
	Network    string
	Subnet     netip.Prefix
	Ranges     []AddrRange // none: reservations, and what to boot for machines with an address from elsewhere
	Exclude    []AddrRange
	Split      []NodeRange // parts of the ranges that are one node's own
	Lease      time.Duration
	Preference int
	Rapid      bool // gives the address in answer to the first message where a machine asks for it
	DNS, NTP   []netip.Addr
	Search     []string
}

// fileDHCP6 is the section dhcp6 of a network as written.
type fileDHCP6 struct {
	at
	written         bool
	ranges, exclude []parsed[AddrRange]
	split           []fileSplit
	lease           *parsed[time.Duration]
	preference      *parsed[int]
	rapid           *parsed[bool]
	dns, ntp        []parsed[netip.Addr]
	search          []parsed[string]
}

func (d *decoder) dhcp6(o object) fileDHCP6 {
	s, ok := o.section("dhcp6")
	if !ok {
		return fileDHCP6{}
	}
	f := fileDHCP6{
		at: s.at, written: true,
		ranges: words(s, "range", parseRange6), exclude: words(s, "exclude", parseRange6),
		lease: one(s, "lease", parseLease), preference: one(s, "preference", parseCount(0, 255)),
		rapid: one(s, "rapid_commit", parseBool),
		dns:   words(s, "dns", parseAddr6), ntp: words(s, "ntp", parseAddr6),
		search: words(s, "search", parseDomain),
	}
	s.each("split", func(_ int, p object) {
		f.split = append(f.split, fileSplit{at: p.at, node: one(p, "node", parseName), part: one(p, "range", parseRange6)})
	})
	return f
}

// parseAddr6 takes an IPv6 address that a machine can have, and that is good beyond its link.
func parseAddr6(v *value) (netip.Addr, *fault) {
	a, err := netip.ParseAddr(v.text)
	if err != nil {
		return a, faultf("%s is not an IPv6 address", quote(v.text)).write("fd00:10:10::11")
	}
	return a, usable6(a)
}

func usable6(a netip.Addr) *fault {
	switch {
	case a.Is4() || a.Is4In6():
		return faultf("%s is an IPv4 address, and the IPv6 address is wanted", a).write("fd00:10:10::11")
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback():
		return faultf("%s is not one machine's address", a).do("write the one that clients reach it by")
	case a.IsLinkLocalUnicast() || a.Zone() != "":
		return faultf("%s is good on one link only, and boot URLs cannot name it", a).do("give the machine an address of the network's subnet6")
	}
	return nil
}

// parseEndpoint6 takes an IPv6 address, or [address]:port, of a server.
func parseEndpoint6(port uint16) func(*value) (netip.AddrPort, *fault) {
	return func(v *value) (netip.AddrPort, *fault) {
		if a, err := netip.ParseAddr(v.text); err == nil {
			return netip.AddrPortFrom(a, port), usable6(a)
		}
		ap, err := netip.ParseAddrPort(v.text)
		if err != nil || ap.Port() == 0 {
			return ap, faultf("%s is neither an IPv6 address nor [ADDRESS]:PORT", quote(v.text)).write(`"[fd00:10:10::21]:` + portText(port) + `"`)
		}
		return ap, usable6(ap.Addr())
	}
}

func portText(port uint16) string {
	return strings.TrimPrefix(netip.AddrPortFrom(loopback(), port).String(), "127.0.0.1:")
}

func parseSubnet6(v *value) (netip.Prefix, *fault) {
	p, err := netip.ParsePrefix(v.text)
	switch {
	case err != nil || !p.Addr().Is6() || p.Addr().Is4In6():
		return p, faultf("%s is not an IPv6 subnet (address/length)", quote(v.text)).write("fd00:10:10::/64")
	case p != p.Masked():
		return p, faultf("%s is an address within a subnet, and the subnet is wanted", p).write(p.Masked().String())
	case p.Addr().IsLinkLocalUnicast() || p.Addr().IsMulticast():
		return p, faultf("%s is no subnet that machines get addresses of", p).write("fd00:10:10::/64")
	}
	return p, nil
}

// parseRange6 takes FIRST-LAST, or one address.
func parseRange6(v *value) (AddrRange, *fault) {
	first, last, two := strings.Cut(v.text, "-")
	from, f := parseAddr6(&value{kind: kindText, text: strings.TrimSpace(first)})
	r := AddrRange{from, from}
	if two && f == nil {
		r.To, f = parseAddr6(&value{kind: kindText, text: strings.TrimSpace(last)})
	}
	switch {
	case f != nil && two:
		f.instead = ""
		return r, f.do("a range is FIRST-LAST, as in fd00:10:10::1000-fd00:10:10::1fff")
	case f == nil && r.To.Less(r.From):
		return r, faultf("%s ends before it begins", v.text).write(r.To.String() + "-" + r.From.String())
	case f == nil && size6(r) < 0:
		return r, faultf("%s has more than %d addresses", v.text, maxPool).
			do("a part of the subnet is enough: machines are spread over it").write(r.From.String() + "-" + lastOf16(r.From).String())
	}
	return r, f
}

// lastOf16 is an address some 65,000 behind another at the most, for examples.
func lastOf16(a netip.Addr) netip.Addr {
	b := a.As16()
	b[14], b[15] = 0xff, 0xff
	return netip.AddrFrom16(b)
}

// size6 is how many addresses an IPv6 range has, -1 if more than any scope has.
func size6(r AddrRange) int {
	from, to := r.From.As16(), r.To.As16()
	n := 0
	for i := range from {
		if n = n<<8 + int(to[i]) - int(from[i]); n > maxPool<<8 {
			return -1
		}
	}
	if n++; n > maxPool {
		return -1
	}
	return n
}

// checkDHCP6 looks at what the networks say of IPv6.
func (d *decoder) checkDHCP6(f *file) {
	var subnets []*fileNetwork
	for i := range f.networks {
		n := &f.networks[i]
		if n.subnet6 != nil {
			subnets = append(subnets, n)
		}
		switch {
		case n.dhcp6.written && !n.has6:
			d.report(n.dhcp6.at, faultf("%s has no subnet6, and no IPv6 address to give", n.name).write("subnet6: fd00:10:10::/64").do("beside dhcp6"))
		case n.dhcp6.written && n.subnet6 != nil:
			d.checkScope6(f, n)
		}
		first := map[netip.Addr]*fileReservation{}
		for i := range n.reservations {
			r := &n.reservations[i]
			if r.ip6 == nil || d.full() {
				continue
			}
			was := first[r.ip6.v]
			switch {
			case n.subnet6 != nil && !n.subnet6.v.Contains(r.ip6.v):
				d.reportIn(r.src, r.ip6.at, faultf("%s is not within the subnet %s", r.ip6.v, n.subnet6.v).do("a machine of this network needs an address of it"))
			case !n.has6:
				d.reportIn(r.src, r.ip6.at, faultf("%s has no subnet6, and nobody would give this address", n.name).do("leave it out, or say subnet6 and dhcp6"))
			case n.subnet6 != nil && r.ip6.v == n.subnet6.v.Addr() && n.subnet6.v.Bits() < 127:
				d.reportIn(r.src, r.ip6.at, faultf("%s is the address of all routers of %s (RFC 4291 section 2.6.1)", r.ip6.v, n.subnet6.v).do("choose another"))
			case was != nil:
				d.reportIn(r.src, r.ip6.at, faultf("%s is reserved already, %s", r.ip6.v, d.inLine(was.src, r.src, was.ip6.line)).do("give each machine an address of its own"))
			default:
				first[r.ip6.v] = r
			}
		}
	}
	slices.SortStableFunc(subnets, func(a, b *fileNetwork) int {
		return cmp.Or(a.subnet6.v.Addr().Compare(b.subnet6.v.Addr()), cmp.Compare(a.subnet6.v.Bits(), b.subnet6.v.Bits()))
	})
	for i := 1; i < len(subnets); i++ {
		if a, b := subnets[i-1], subnets[i]; a.subnet6.v.Overlaps(b.subnet6.v) {
			d.report(b.subnet6.at, faultf("%s overlaps with %s of network %s, in line %d", b.subnet6.v, a.subnet6.v, a.name, a.subnet6.line).do("give each network subnets that no other has"))
		}
	}
	byAddr := map[netip.Addr]*fileNode{}
	for i := range f.nodes {
		n := &f.nodes[i]
		if n.address6 == nil {
			continue
		}
		if first := byAddr[n.address6.v]; first != nil {
			d.report(n.address6.at, faultf("%s is the address of node %s already, in line %d", n.address6.v, first.name, first.line).do("every node has an address of its own"))
			continue
		}
		byAddr[n.address6.v] = n
	}
}

func (d *decoder) checkScope6(f *file, n *fileNetwork) {
	subnet, size := n.subnet6.v, 0
	ranges := slices.Clone(n.dhcp6.ranges)
	slices.SortStableFunc(ranges, func(a, b parsed[AddrRange]) int { return a.v.From.Compare(b.v.From) })
	for i, r := range ranges {
		switch {
		case !subnet.Contains(r.v.From) || !subnet.Contains(r.v.To):
			d.report(r.at, faultf("%s is not within the subnet %s", r.v, subnet).write("range: "+exampleRange6(subnet)))
		case i > 0 && ranges[i-1].v.overlaps(r.v):
			d.report(r.at, faultf("%s overlaps with %s, in line %d", r.v, ranges[i-1].v, ranges[i-1].line).do("join the two"))
		}
		size += size6(r.v)
	}
	if size > maxPool {
		d.report(ranges[0].at, faultf("these are %d addresses, more than %d", size, maxPool).do("a part of the subnet is enough: machines are spread over it"))
	}
	d.checkSplit(f, n.dhcp6.split, ranges)
	if givers := f.dhcp6Nodes(); len(givers) > 1 && len(ranges) > 0 && len(n.dhcp6.split) == 0 && f.namesKnown && !f.store.written {
		d.report(ranges[0].at, faultf("%s would give these addresses each by itself, and so some of them twice: they share no store", strings.Join(givers, " and ")).
			do("let them share one (store.etcd), give each its part by split, or leave the role dhcp6 to one of them by roles"))
	}
	for _, x := range n.dhcp6.exclude {
		if !slices.ContainsFunc(ranges, func(r parsed[AddrRange]) bool { return r.v.overlaps(x.v) }) {
			d.report(x.at, faultf("%s is in no range, so it is not given out anyway", x.v).do("leave it out"))
		}
	}
}

// exampleRange6 is 4096 addresses of a subnet.
func exampleRange6(p netip.Prefix) string {
	first, last := p.Addr().As16(), p.Addr().As16()
	first[14], first[15] = 0x10, 0
	last[14], last[15] = 0x1f, 0xff
	return netip.AddrFrom16(first).String() + "-" + netip.AddrFrom16(last).String()
}

// dhcp6Nodes are the nodes that answer DHCPv6.
func (f *file) dhcp6Nodes() []string {
	var out []string
	for i := range f.nodes {
		if slices.Contains(f.runs(&f.nodes[i]), RoleDHCP6) {
			out = append(out, f.nodes[i].name)
		}
	}
	return out
}

// byDHCP6 reports whether any network is given IPv6 addresses, or what to boot over IPv6, by the nodes.
func (f *file) byDHCP6() bool {
	return slices.ContainsFunc(f.networks, func(n fileNetwork) bool { return n.dhcp6.written })
}

// resolveDHCP6 fills in the scopes of the networks that have a section dhcp6.
func (c *Config) resolveDHCP6(f *file) {
	for _, n := range c.Site.Networks {
		i := slices.IndexFunc(f.networks, func(w fileNetwork) bool { return w.name == n.Name })
		if i < 0 || !f.networks[i].dhcp6.written {
			continue
		}
		w := f.networks[i].dhcp6
		s := DHCP6Scope{
			Network: n.Name, Subnet: n.Subnet6, Ranges: plainList(w.ranges), Exclude: plainList(w.exclude),
			Lease: w.lease.or(defaultDHCP().Lease), Preference: w.preference.or(0), Rapid: w.rapid.or(true),
			DNS: plainList(w.dns), NTP: plainList(w.ntp), Search: plainList(w.search),
		}
		for _, p := range w.split {
			s.Split = append(s.Split, NodeRange{p.node.or(""), p.part.or(AddrRange{})})
		}
		slices.SortFunc(s.Ranges, func(a, b AddrRange) int { return a.From.Compare(b.From) })
		c.ownAddresses6(&s)
		c.DHCP.Scopes6 = append(c.DHCP.Scopes6, s)
	}
	if len(c.DHCP.Scopes6) > 0 {
		c.DHCP.Leases = f.dhcp.leases.or(filepath.Join(c.State, "leases.db"))
	}
}

// ownAddresses6 takes the addresses of the site's own servers out of the ranges.
func (c *Config) ownAddresses6(s *DHCP6Scope) {
	var own []netip.Addr
	for _, srv := range c.Site.Servers {
		own = append(own, srv.TFTP6.Addr(), srv.HTTP6.Addr())
	}
	for _, n := range c.Nodes {
		own = append(own, n.Addr6)
	}
	slices.SortFunc(own, netip.Addr.Compare)
	for _, a := range slices.Compact(own) {
		in := func(r AddrRange) bool { return a.IsValid() && r.has(a) }
		if slices.ContainsFunc(s.Ranges, in) && !slices.ContainsFunc(s.Exclude, in) {
			s.Exclude = append(s.Exclude, AddrRange{a, a})
		}
	}
}

// only6 reports whether the network has no IPv4 side.
func only6(n boot.Network) bool { return n.Subnet6.IsValid() && !n.Subnet.IsValid() }

// order is by what networks are sorted: the narrowest first, and the one that takes every client last.
func order(n boot.Network) int {
	if only6(n) {
		return 0
	}
	return n.Subnet.Bits()
}

// parseDomain takes a domain name.
func parseDomain(v *value) (string, *fault) {
	s, f := parseText(v)
	if f == nil && (!goodDomain(s)) {
		f = faultf("%s is not a domain name", quote(s)).write("hq.example.net")
	}
	return s, f
}

// parseDUID takes what a machine calls itself over DHCPv6, with or without colons.
func parseDUID(v *value) (string, *fault) {
	id, err := dhcp6.ParseDUID(strings.NewReplacer(":", "", "-", "").Replace(strings.ToLower(v.text)))
	if err != nil {
		return "", faultf("%s is not a DUID", quote(v.text)).write(`"00030001525400123456"`).do("hexadecimal digits, as surefoot lease show has them")
	}
	return id.String(), nil
}
