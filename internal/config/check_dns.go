package config

import (
	"slices"
	"strings"

	"surefoot/internal/boot"
)

// checkDNS looks at what the section says of nodes, servers and rules.
func (d *decoder) checkDNS(f *file) {
	runs := false
	for i := range f.nodes {
		n := &f.nodes[i]
		has := slices.Contains(f.runs(n), RoleDNS)
		runs = runs || has
		if j := slices.IndexFunc(n.roles, func(r parsed[string]) bool { return r.v == RoleDNS }); j >= 0 && f.dns == nil {
			d.report(n.roles[j].at, faultf("node %s has the role dns, but the file has no zone for it to answer for", n.name).do("write at the top level dns: {zone: boot.hq.example.net}"))
		}
	}
	for _, n := range f.networks {
		if n.deliver != nil && n.deliver.v == boot.DeliverDNS && (f.dns == nil || !runs && len(f.nodes) > 0) {
			d.report(n.deliver.at, faultf("no node answers DNS, so there is no name that the DHCP server of %s could tell", n.name).do("write at the top level dns: {zone: boot.hq.example.net}, with the role dns for a node"))
		}
	}
	if f.dns == nil {
		return
	}
	for _, w := range f.dns.ns {
		if strings.HasSuffix(w.v, ".") {
			continue
		}
		switch n := f.node(w.v); {
		case n == nil && f.namesKnown:
			d.report(w.at, faultf("there is no node %s", quote(w.v)).do("%s; a name server elsewhere is written with a dot at the end", didYouMean(w.v, f.nodeNames())))
		case n != nil && !n.bad && !slices.Contains(f.runs(n), RoleDNS):
			d.report(w.at, faultf("node %s does not have the role dns", w.v).do("give it the role, or take it out of the list"))
		}
	}
	d.checkNames(f)
}

// maxNames bounds what is looked through one by one.
const maxNames = 1000

func (d *decoder) checkNames(f *file) {
	if n := len(f.dns.names); n > maxNames {
		d.report(f.dns.names[maxNames].at, faultf("there are %d names, more than %d", n, maxNames).do("one name for each file will do"))
		return
	}
	first := map[string]int{}
	for i := range f.dns.names {
		n := &f.dns.names[i]
		if d.full() {
			return
		}
		name := strings.ToLower(n.name)
		if !goodDomain(name) {
			d.report(n.at, faultf("%s cannot be a DNS name", quote(n.name)).do("labels of letters, digits and dashes, with dots between"))
			continue
		}
		if line, twice := first[name]; twice {
			d.report(n.at, faultf("%s is there already, in line %d: DNS does not tell upper from lower case", n.name, line).do("delete one of the two"))
			continue
		}
		first[name] = n.line
		if f.isHost(name) {
			d.report(n.at, faultf("%s is the name of a node or server, which it has in the zone as well", n.name).do("choose another name"))
			continue
		}
		rule := f.ruleNamed(n.name)
		if n.file == nil && rule == nil && f.rulesKnown && !n.bad {
			d.report(n.at, faultf("it is not said for which file %s is, and no rule is called so", n.name).write(n.name+": {file: ARDBP32.BIN}"))
		}
		for _, w := range n.from {
			if d.full() {
				return
			}
			if f.node(w.v) == nil && f.server(w.v) == nil && f.namesKnown {
				d.report(w.at, faultf("there is no server or node %s", quote(w.v)).do("%s", didYouMean(w.v, append(f.nodeNames(), f.serverNames()...))))
			}
		}
	}
}

// isHost reports whether a node or server is called so, as DNS compares names.
func (f *file) isHost(name string) bool {
	return slices.ContainsFunc(append(f.nodeNames(), f.serverNames()...), func(s string) bool { return strings.EqualFold(s, name) })
}

func (f *file) ruleNamed(name string) *fileRule {
	for i := range f.rules {
		if r := &f.rules[i]; r.name != nil && r.name.v == name {
			return r
		}
	}
	return nil
}
