package config

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
)

// maxPool is the most addresses that one network gives out: a /12.
const maxPool = 1 << 20

// checkDHCP looks at what the networks' DHCP sections say of subnets, nodes and each other.
func (d *decoder) checkDHCP(f *file) {
	d.checkSettings(f.dhcp)
	for i := range f.rules {
		d.checkOptions(f.rules[i].options)
	}
	for i := range f.networks {
		n := &f.networks[i]
		if d.full() {
			return
		}
		if n.only6 && n.deliver != nil && n.deliver.v != boot.DeliverNone {
			d.report(n.deliver.at, faultf("%s has no subnet, and deliver says how IPv4 clients hear of their file", n.name).do("leave it out: dhcp6 answers those that boot over IPv6"))
			continue
		}
		if !n.byDHCP() {
			if n.dhcp.written && n.deliver == nil && n.proxy {
				d.report(n.dhcp.at, faultf("nobody would read this: %s is answered by proxy", n.name).do("write deliver: dhcp beside it, or leave it out"))
			}
			continue
		}
		switch {
		case n.open:
			d.report(n.deliver.at, faultf("a network without a subnet has no addresses to give").write("subnet: 10.10.0.0/22").do("beside deliver"))
		case n.subnet == nil:
		case len(n.dhcp.ranges) == 0 && !slices.ContainsFunc(n.reservations, func(r fileReservation) bool { return r.ip != nil }) && !n.dhcp.bad && n.reservationsKnown:
			d.report(n.at, faultf("%s gives no address to anybody: it has neither a range nor a reservation with an ip", n.name).write(exampleRange(n.subnet.v)))
		default:
			d.checkScope(f, n)
		}
		d.checkSettings(n.dhcp)
		d.checkTimes(f, n)
	}
}

// exampleRange is a section for a subnet: its upper half.
func exampleRange(p netip.Prefix) string {
	last := dhcp4.LastOf(p)
	half, _ := last.Prefix(min(p.Bits()+1, 30))
	return "dhcp: {range: " + half.Addr().String() + "-" + last.Prev().String() + "}"
}

func (d *decoder) checkScope(f *file, n *fileNetwork) {
	subnet := n.subnet.v
	whole := AddrRange{subnet.Addr(), dhcp4.LastOf(subnet)}
	size := 0
	ranges := slices.Clone(n.dhcp.ranges)
	slices.SortStableFunc(ranges, func(a, b parsed[AddrRange]) int { return a.v.From.Compare(b.v.From) })
	for i, r := range ranges {
		switch {
		case !whole.has(r.v.From) || !whole.has(r.v.To):
			d.report(r.at, faultf("%s is not within the subnet %s", r.v, subnet).write(strings.TrimPrefix(exampleRange(subnet), "dhcp: {")[:len(exampleRange(subnet))-8]))
		case i > 0 && ranges[i-1].v.overlaps(r.v):
			d.report(r.at, faultf("%s overlaps with %s, in line %d", r.v, ranges[i-1].v, ranges[i-1].line).do("join the two"))
		}
		size += r.v.Size()
	}
	if size > maxPool {
		d.report(n.dhcp.ranges[0].at, faultf("these are %d addresses, more than %d", size, maxPool).do("a network of machines that boot is never so large: are the ranges right?"))
	}
	for _, x := range n.dhcp.exclude {
		if !slices.ContainsFunc(ranges, func(r parsed[AddrRange]) bool { return r.v.overlaps(x.v) }) && !n.dhcp.bad {
			d.report(x.at, faultf("%s is in no range, so it is not given out anyway", x.v).do("leave it out"))
		}
	}
	for _, r := range n.dhcp.routers {
		if !subnet.Contains(r.v) {
			d.report(r.at, faultf("machines of %s cannot reach a router at %s", subnet, r.v).do("name the router's address within the subnet"))
		}
	}
	d.checkRoutes(n, subnet)
	d.checkWire(f, n)
	d.checkSplit(f, n.dhcp.split, ranges)
	d.checkAddresses(n, subnet)
}

// checkRoutes looks at whether machines reach the routers, and whether somebody else says routes as well.
func (d *decoder) checkRoutes(n *fileNetwork, subnet netip.Prefix) {
	for i, r := range n.dhcp.routes {
		if !subnet.Contains(r.v.Via) {
			d.report(r.at, faultf("machines of %s cannot reach a router at %s", subnet, r.v.Via).do("name the router's address within the subnet"))
		}
		if was := slices.IndexFunc(n.dhcp.routes[:i], func(o parsed[dhcp4.Route]) bool { return o.v.To == r.v.To }); was >= 0 {
			d.report(r.at, faultf("there is a route to %s already, in line %d", r.v.To, n.dhcp.routes[was].line).do("leave one"))
		}
	}
	for _, o := range n.dhcp.options {
		if o.option == nil || len(n.dhcp.routes) == 0 {
			continue
		}
		if code, _ := dhcp4.ParseCode(o.option.v); code == dhcp4.ClasslessRoutes || code == dhcp4.MicrosoftRoutes {
			d.report(o.option.at, faultf("routes says this option already, in line %d", n.dhcp.routes[0].line).do("leave one of the two"))
		}
	}
}

// checkWire looks for another network on the same wire.
func (d *decoder) checkWire(f *file, n *fileNetwork) {
	if n.dhcp.wire == nil || slices.ContainsFunc(f.networks, func(o fileNetwork) bool {
		return o.name != n.name && o.dhcp.wire != nil && o.dhcp.wire.v == n.dhcp.wire.v && o.byDHCP()
	}) {
		return
	}
	d.report(n.dhcp.wire.at, faultf("no other network with deliver: dhcp is on the wire %s", quote(n.dhcp.wire.v)).do("say the same in the dhcp section of the other network, or leave it out"))
}

func (d *decoder) checkSplit(f *file, split []fileSplit, ranges []parsed[AddrRange]) {
	var parts []fileSplit
	for _, s := range split {
		if s.node != nil && f.namesKnown && f.node(s.node.v) == nil {
			d.report(s.node.at, faultf("there is no node %s", quote(s.node.v)).do("%s", didYouMean(s.node.v, f.nodeNames())))
		}
		if s.part == nil {
			continue
		}
		if !slices.ContainsFunc(ranges, func(r parsed[AddrRange]) bool { return r.v.has(s.part.v.From) && r.v.has(s.part.v.To) }) {
			d.report(s.part.at, faultf("%s is not within one of the ranges", s.part.v).do("each part lies in one range; a node may have several parts"))
			continue
		}
		parts = append(parts, s)
	}
	slices.SortStableFunc(parts, func(a, b fileSplit) int { return a.part.v.From.Compare(b.part.v.From) })
	for i := 1; i < len(parts); i++ {
		if a, b := parts[i-1], parts[i]; a.part.v.overlaps(b.part.v) {
			d.report(b.part.at, faultf("%s overlaps with %s, in line %d: two nodes would give out the same address", b.part.v, a.part.v, a.part.line).do("give each node addresses that no other has"))
		}
	}
}

// checkAddresses looks for reservations of one address, or of one that nobody there can have.
func (d *decoder) checkAddresses(n *fileNetwork, subnet netip.Prefix) {
	first := map[netip.Addr]*fileReservation{}
	for i := range n.reservations {
		r := &n.reservations[i]
		if r.ip == nil || d.full() {
			continue
		}
		a := r.ip.v
		was := first[a]
		switch {
		case !subnet.Contains(a):
			d.reportIn(r.src, r.ip.at, faultf("%s is not within the subnet %s", a, subnet).do("a machine of this network needs an address of it"))
		case subnet.Bits() < 31 && (a == subnet.Addr() || a == dhcp4.LastOf(subnet)):
			d.reportIn(r.src, r.ip.at, faultf("%s is the first or the last address of %s, which no machine can have", a, subnet).do("choose one between"))
		case was != nil:
			d.reportIn(r.src, r.ip.at, faultf("%s is reserved already, %s", a, d.inLine(was.src, r.src, was.ip.line)).do("give each machine an address of its own"))
		default:
			first[a] = r
		}
	}
}

func (d *decoder) checkSettings(s fileDHCP) {
	d.checkOptions(s.options)
	for _, o := range s.options {
		if o.option == nil || s.mtu == nil {
			continue
		}
		if code, _ := dhcp4.ParseCode(o.option.v); code == dhcp4.InterfaceMTU {
			d.report(o.option.at, faultf("mtu says this option already, in line %d", s.mtu.line).do("leave one of the two"))
		}
	}
}

func (d *decoder) checkOptions(list []fileOption) {
	first := map[dhcp4.Code]int{}
	for _, o := range list {
		if o.option == nil {
			continue
		}
		code, _ := dhcp4.ParseCode(o.option.v) // checked when it was read
		line, twice := first[code]
		switch {
		case twice:
			d.report(o.option.at, faultf("%s is in the list already, in line %d", code, line).do("an option with several values is written once, with commas between"))
		default:
			first[code] = o.option.line
		}
		if o.value == nil {
			continue
		}
		if _, err := dhcp4.ParseValue(code, o.value.v); err != nil {
			d.report(o.value.at, faultf("%s", err).do("as bytes it would be hex:0102ff; surefoot config explain dhcp.options says more"))
		}
	}
}

// checkTimes looks at the times of a network with what it takes over from the section dhcp.
func (d *decoder) checkTimes(f *file, n *fileNetwork) {
	s := n.dhcp.over(f.dhcp.over(defaultDHCP()))
	longest := cmp.Or(s.MaxLease, s.Lease)
	if s.MinLease > s.Lease {
		d.report(firstAt(n.at, spot(n.dhcp.minLease), spot(n.dhcp.lease), spot(f.dhcp.minLease), spot(f.dhcp.lease)),
			faultf("the shortest lease, %s, is longer than the usual one, %s, in %s", spanText(s.MinLease), spanText(s.Lease), n.name).write("min_lease: "+spanText(s.Lease)))
	}
	if s.ConflictWait > 0 && !s.ConflictCheck {
		d.report(firstAt(n.at, spot(n.dhcp.conflictWait), spot(n.dhcp.conflict), spot(f.dhcp.conflictWait), spot(f.dhcp.conflict)),
			faultf("nothing is waited for in %s: conflict_check is off", n.name).do("leave conflict_wait out, or say conflict_check: true"))
	}
	if longest < s.Lease {
		d.report(firstAt(n.at, spot(n.dhcp.maxLease), spot(n.dhcp.lease), spot(f.dhcp.maxLease), spot(f.dhcp.lease)),
			faultf("the longest lease, %s, is shorter than the usual one, %s, in %s", spanText(longest), spanText(s.Lease), n.name).write("max_lease: "+spanText(s.Lease)))
	}
}

// spot is where a value stands, if it is there.
func spot[T any](p *parsed[T]) at {
	if p == nil {
		return at{}
	}
	return p.at
}

// firstAt is the first place that is there, else another.
func firstAt(other at, list ...at) at {
	for _, a := range list {
		if a.line > 0 {
			return a
		}
	}
	return other
}

func (n *fileNetwork) byDHCP() bool { return n.deliver != nil && n.deliver.v == boot.DeliverDHCP }
