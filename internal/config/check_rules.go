package config

import (
	"slices"
	"strings"

	"surefoot/internal/boot"
)

func (d *decoder) checkRules(f *file) {
	first := map[string]int{}
	networks := f.networkNames()
	for i := range f.rules {
		r := &f.rules[i]
		if d.full() {
			return
		}
		if r.name != nil {
			if line, twice := first[r.name.v]; twice {
				d.report(r.name.at, faultf("there is a rule %s already, in line %d", r.name.v, line).do("give one of them another name"))
			} else {
				first[r.name.v] = r.name.line
			}
		}
		for _, w := range r.when.network {
			if d.full() {
				return
			}
			if f.networksKnown && !slices.Contains(networks, w.v) {
				d.report(w.at, faultf("there is no network %s", quote(w.v)).do("%s", didYouMean(w.v, networks)))
			}
		}
		d.checkFrom(f, r)
	}
}

// networkNames lists the networks; without any there is the default one.
func (f *file) networkNames() []string {
	if len(f.networks) == 0 {
		return []string{defaultNetwork}
	}
	var out []string
	for _, n := range f.networks {
		out = append(out, n.name)
	}
	return out
}

// checkFrom looks at the servers of a rule: are they there, and can they have the file?
func (d *decoder) checkFrom(f *file, r *fileRule) {
	test := r.file != nil && r.file.v == boot.TestBootstrap
	if test {
		d.checkTest(r)
	}
	ours := len(r.from) == 0
	for _, w := range r.from {
		if d.full() {
			return
		}
		node, server := f.node(w.v), f.server(w.v)
		switch {
		case node != nil:
			ours = true
			if roles := f.runs(node); !node.bad && !slices.Contains(roles, RoleTFTP) && !slices.Contains(roles, RoleHTTP) {
				d.report(w.at, faultf("node %s hands out no files: its roles are %s", w.v, strings.Join(roles, ", ")).do("give it the role tftp, or take it out of the list"))
			}
		case server != nil && test:
			d.report(w.at, faultf("%s is not a node, and only nodes have the built-in test bootstrap", w.v).do("leave from out, or name nodes: %s", strings.Join(f.nodeNames(), ", ")))
		case server == nil && f.namesKnown:
			d.report(w.at, faultf("there is no server or node %s", quote(w.v)).do("%s", didYouMean(w.v, append(f.nodeNames(), f.serverNames()...))))
		}
	}
	if ours && f.root == nil && !test && r.file != nil && !strings.Contains(r.file.v, "://") && !d.reportedAt("root") {
		d.report(r.file.at, faultf("the nodes have no directory with files in it to find %s", quote(r.file.v)).do("write root: /srv/boot at the top level, or name other servers in from"))
	}
	if len(r.from) == 0 && f.namesKnown && len(f.nodes) > 0 && len(f.handing()) == 0 && !r.bad {
		d.report(r.at, faultf("no node hands out files, so the rule needs servers").do("name servers in from, or give a node the role tftp"))
	}
}

// checkTest refuses a test bootstrap for machines it is not made for.
func (d *decoder) checkTest(r *fileRule) {
	for _, w := range r.when.arch {
		list, _ := boot.ParseArchs(w.v)
		if !slices.ContainsFunc(list, func(a boot.Arch) bool { return a.Class() == boot.ClassBIOS || a.Class() == boot.ClassUEFIx64 }) {
			d.report(w.at, faultf("the built-in test bootstrap exists for bios and uefi-x64 only, not for %s", w.v).do("name a file, or take %s out of the list", w.v))
		}
	}
}

// reportedAt reports whether a problem was found at a path, so that it is not told again in
// other words.
func (d *decoder) reportedAt(path string) bool {
	return slices.ContainsFunc(d.problems, func(p Problem) bool { return p.Path == path })
}
