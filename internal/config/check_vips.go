package config

import (
	"net/netip"
	"slices"
	"time"
)

// members are the nodes that take part, with their priorities.
func (v *fileVIP) members(f *file) []VIPNode {
	var out []VIPNode
	add := func(name string, priority *parsed[int], iface *parsed[string]) {
		out = append(out, VIPNode{Name: name, Priority: priority.or(max(1, defaultPriority-10*len(out))), Interface: iface.or(v.iface.or(""))})
	}
	for _, n := range v.nodes {
		add(n.name, n.priority, n.iface)
	}
	if len(v.nodes) == 0 {
		all := f.handing()
		if f.balanced(v.name) {
			all = f.balancing()
		}
		for _, name := range all {
			add(name, nil, nil)
		}
	}
	return out
}

// needed is what has to be subtracted for any node to come behind all others.
func needed(members []VIPNode) int {
	var all []int
	for _, m := range members {
		if m.Priority != 255 {
			all = append(all, m.Priority)
		}
	}
	if len(all) == 0 {
		return 1
	}
	return min(254, slices.Max(all)-slices.Min(all)+1)
}

func (d *decoder) checkVIPs(f *file) {
	if len(f.vips) > maxVIPs {
		d.report(f.vips[maxVIPs].at, faultf("there are %d service addresses, more than %d", len(f.vips), maxVIPs).do("one for each network will do"))
		return
	}
	type group struct {
		vrid int
		six  bool
	}
	numbers, addrs := map[group]*fileVIP{}, map[netip.Addr]*fileVIP{}
	for i := range f.vips {
		v := &f.vips[i]
		if v.address != nil {
			a := v.address.v.Addr()
			if first := addrs[a]; first != nil {
				d.report(v.address.at, faultf("%s is the address of %s already, in line %d", a, first.name, first.line).do("every service address has one entry"))
			}
			addrs[a] = v
			d.checkVIPAddress(f, v)
			if v.vrid != nil {
				g := group{v.vrid.v, a.Is6()}
				if first := numbers[g]; first != nil {
					d.report(v.vrid.at, faultf("%d is the number of %s already, in line %d", g.vrid, first.name, first.line).do("take another number from 1 to 255 that nobody uses on the segment"))
				}
				numbers[g] = v
			}
		}
		d.checkVIPMover(v)
		d.checkVIPVersion(v)
		d.checkVIPNodes(f, v)
	}
}

func (d *decoder) checkVIPAddress(f *file, v *fileVIP) {
	a := v.address.v.Addr()
	for _, n := range f.nodes {
		owner := slices.ContainsFunc(v.nodes, func(m fileVIPNode) bool { return m.name == n.name && m.priority.or(0) == 255 })
		if n.address != nil && n.address.v == a && !owner {
			d.report(v.address.at, faultf("%s is the address of node %s itself, and would leave it when the address moves", a, n.name).do("take a free address; where it has to be this one, give the node priority: 255"))
		}
	}
	for _, s := range f.servers {
		if f.balanced(v.name) {
			break // that is how rules name the service
		}
		if s.tftp != nil && s.tftp.v.Addr() == a || s.http != nil && s.http.v.Addr() == a {
			d.report(v.address.at, faultf("%s is the address of server %s", a, s.name).do("take a free address"))
		}
	}
}

func (v *fileVIP) external() bool { return v.ha.or(haVRRP) == haExternal }

// checkVIPMover: what VRRP goes by is there where Surefoot speaks it, and only there.
func (d *decoder) checkVIPMover(v *fileVIP) {
	if !v.external() {
		if v.vrid == nil && !v.bad {
			d.report(v.at, faultf("vrid is missing").write("vrid: 51"))
		}
		return
	}
	for _, k := range []struct {
		name string
		at   *at
	}{
		{"vrid", where(v.vrid)},
		{"version", where(v.version)},
		{"advert", where(v.advert)},
		{"preempt", where(v.preempt)},
		{"preempt_delay", where(v.preemptDelay)},
		{"track", where(v.track)},
		{"lower_by", where(v.lowerBy)},
	} {
		if k.at != nil {
			d.report(*k.at, faultf("%s says nothing where another program moves the address (ha: external)", k.name).do("leave it out here, and say it to that program"))
		}
	}
	if len(v.peers) > 0 {
		d.report(v.peers[0].at, faultf("peers say nothing where another program moves the address (ha: external)").do("leave them out here, and say them to that program"))
	}
	for _, n := range v.nodes {
		if n.priority != nil {
			d.report(n.priority.at, faultf("a priority says nothing where another program moves the address (ha: external)").do("leave it out here, and say it to that program"))
		}
	}
}

func where[T any](p *parsed[T]) *at {
	if p == nil {
		return nil
	}
	return &p.at
}

func (d *decoder) checkVIPVersion(v *fileVIP) {
	if v.version.or(3) != 2 {
		return
	}
	if v.address != nil && v.address.v.Addr().Is6() {
		d.report(v.version.at, faultf("version 2 has no IPv6").write("version: 3"))
	}
	if v.advert != nil && v.advert.v%time.Second != 0 {
		d.report(v.advert.at, faultf("version 2 advertises in whole seconds, and %s is none", durationText(v.advert.v)).write("advert: 1s").do("or write version: 3, on every node and in keepalived"))
	}
}

func (d *decoder) checkVIPNodes(f *file, v *fileVIP) {
	first := map[int]string{}
	for _, n := range v.nodes {
		if f.node(n.name) == nil && f.namesKnown {
			d.report(n.at, faultf("there is no node %s", quote(n.name)).do("%s", didYouMean(n.name, f.nodeNames())))
		}
	}
	members := v.members(f)
	for _, n := range v.nodes {
		for _, m := range members {
			if m.Name != n.name {
				continue
			}
			if other := first[m.Priority]; other != "" {
				at := n.at
				if n.priority != nil {
					at = n.priority.at
				}
				d.report(at, faultf("node %s has the priority %d of node %s", n.name, m.Priority, other).do("every node has another one"))
			}
			first[m.Priority] = m.Name
		}
	}
	if len(members) == 0 && v.nodesKnown && !v.bad && f.namesKnown {
		d.report(v.at, faultf("no node takes part in the address").write(v.name+": {address: 10.10.0.20/22, vrid: 51, nodes: {boot1: {}, boot2: {}}}"))
	}
	if least := needed(members); v.lowerBy != nil && v.track.or(TrackDelivers) == TrackDelivers && v.lowerBy.v < least {
		d.report(v.lowerBy.at, faultf("a node that does not deliver would keep the address: %d less is not below every other node's priority", v.lowerBy.v).write("lower_by: "+count0(least)))
	}
}

// checkVIPNode looks for the interface of one node.
func (d *decoder) checkVIPNode(f *file, n *fileNode, interfaces []string) {
	for i := range f.vips {
		v := &f.vips[i]
		for _, m := range v.members(f) {
			if m.Name == n.name && m.Interface == "" && n.interfaces == nil && len(interfaces) == 0 && !v.bad && !n.bad {
				d.report(v.at, faultf("neither the address nor node %s names an interface", n.name).do("write interface: eth1 here, or interfaces: [eth1] at the node"))
				return
			}
		}
	}
}
