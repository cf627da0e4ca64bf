package config

import (
	"net/netip"
	"slices"

	"surefoot/internal/boot"
)

// Bounds of what Decide and this package look through one by one.
const (
	maxRules    = 1000
	maxNetworks = 4000
	maxServers  = 1000 // nodes and servers together
)

// check looks at what the parts of a file say of each other. What depends on the node is in
// checkNode.
func (d *decoder) check(f *file) {
	if len(f.nodes) == 0 && f.nodesAt.line > 0 && f.namesKnown {
		d.report(f.nodesAt, faultf("there is no node, and nobody to serve").write("nodes: {boot1: {address: 10.10.0.11, interfaces: [eth1]}}"))
	}
	if len(f.rules) == 0 && f.bootAt.line > 0 && f.rulesKnown {
		d.report(f.bootAt, faultf("there is no rule, and no machine would get a file").write("boot: [{name: test, file: "+boot.TestBootstrap+"}]"))
	}
	if len(f.rules) > maxRules {
		d.report(f.rules[maxRules].at, faultf("there are %d rules, more than %d", len(f.rules), maxRules).do("bind single machines by reservations; there is no limit to those"))
		return
	}
	if n := len(f.nodes) + len(f.servers); n > maxServers {
		d.report(f.at, faultf("there are %d nodes and servers, more than %d", n, maxServers).do("is it a site file? An example: surefoot config example"))
		return
	}
	if len(f.networks) > maxNetworks {
		d.report(f.networks[maxNetworks].at, faultf("there are %d networks, more than %d", len(f.networks), maxNetworks).do("join some of the subnets"))
		return
	}
	d.checkNodes(f)
	d.checkServers(f)
	d.checkRules(f)
	d.checkShadows(f)
	d.checkNetworks(f)
	d.checkEntries(f)
	d.checkServing(f)
	d.checkUploads(f)
	d.checkWatch(f)
	d.checkDHCP(f)
	d.checkStore(f)
	d.checkDHCP6(f)
	d.checkDNS(f)
	d.checkBalances(f)
	d.checkVIPs(f)
	d.checkDeliveries(f)
	d.checkHistory(f.past)
}

// checkServing looks for a share that is larger than the whole.
func (d *decoder) checkServing(f *file) {
	most := f.maxTransfers.or(DefaultMaxTransfers)
	for name, share := range map[string]*parsed[int]{"max_per_client": f.perClient, "max_per_network": f.perNetwork} {
		if share != nil && share.v > most {
			d.report(share.at, faultf("%s is %d, and all together may have %d", name, share.v, most).do("raise max_transfers, or leave the key out"))
		}
	}
}

func (d *decoder) checkNodes(f *file) {
	byAddr := map[netip.Addr]*fileNode{}
	for i := range f.nodes {
		n := &f.nodes[i]
		if n.address == nil {
			continue
		}
		if first := byAddr[n.address.v]; first != nil {
			d.report(n.address.at, faultf("%s is the address of node %s already, in line %d", n.address.v, first.name, first.line).do("every node has an address of its own"))
			continue
		}
		byAddr[n.address.v] = n
	}
}

func (d *decoder) checkServers(f *file) {
	for _, s := range f.servers {
		if i := slices.IndexFunc(f.nodes, func(n fileNode) bool { return n.name == s.name }); i >= 0 {
			d.report(s.at, faultf("%s is a node already, in line %d", s.name, f.nodes[i].line).do("a node is a server by itself: leave it out here, or choose another name"))
		}
		if !s.some {
			d.report(s.at, faultf("the server has neither tftp nor http").write(s.name+": {tftp: 10.10.0.21}"))
		}
	}
}

// handing lists the nodes that hand out files.
func (f *file) handing() []string {
	var out []string
	for i := range f.nodes {
		roles := f.runs(&f.nodes[i])
		if slices.Contains(roles, RoleTFTP) || slices.Contains(roles, RoleHTTP) {
			out = append(out, f.nodes[i].name)
		}
	}
	return out
}

func (f *file) node(name string) *fileNode {
	if i := slices.IndexFunc(f.nodes, func(n fileNode) bool { return n.name == name }); i >= 0 {
		return &f.nodes[i]
	}
	return nil
}

func (f *file) server(name string) *fileServer {
	if i := slices.IndexFunc(f.servers, func(s fileServer) bool { return s.name == name }); i >= 0 {
		return &f.servers[i]
	}
	return nil
}

func (f *file) nodeNames() []string {
	var out []string
	for _, n := range f.nodes {
		out = append(out, n.name)
	}
	return out
}

func (f *file) serverNames() []string {
	var out []string
	for _, s := range f.servers {
		out = append(out, s.name)
	}
	return out
}
