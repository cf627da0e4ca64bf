package config

import (
	"net/netip"
	"slices"
	"strconv"
)

// checkBalances looks at what the services say of servers and nodes.
func (d *decoder) checkBalances(f *file) {
	for i := range f.nodes {
		n := &f.nodes[i]
		if j := slices.IndexFunc(n.roles, func(r parsed[string]) bool { return r.v == RoleLB }); j >= 0 && len(f.balances) == 0 {
			d.report(n.roles[j].at, faultf("node %s has the role lb, but the file has no service to balance", n.name).do("write at the top level %s", firstLine(lbKey().Example)))
		}
	}
	if len(f.balances) > maxBalances {
		d.report(f.balances[maxBalances].at, faultf("there are %d services, more than %d", len(f.balances), maxBalances).do("one service serves any number of files"))
		return
	}
	first := map[netip.AddrPort]*fileBalance{}
	for i := range f.balances {
		b := &f.balances[i]
		if d.full() {
			return
		}
		if b.listen != nil {
			if other := first[b.listen.v]; other != nil {
				d.report(b.listen.at, faultf("service %s listens at %s already, in line %d", other.name, b.listen.v, other.line).do("every service has an address or a port of its own"))
			}
			first[b.listen.v] = b
		}
		d.checkBalanceKeys(f, b)
		d.checkBackends(f, b)
	}
	d.checkBalanceOverlap(f)
}

func (d *decoder) checkBackends(f *file, b *fileBalance) {
	seen := map[string]int{}
	if b.kernel() && len(b.backends) > maxKernelBackends {
		d.report(b.backends[maxKernelBackends].at, faultf("there are %d backends, more than %d", len(b.backends), maxKernelBackends).do("mode: relay takes more; or make two services"))
		return
	}
	for _, w := range b.backends {
		name := w.v.Name
		if line, twice := seen[name]; twice {
			d.report(w.at, faultf("%s is a backend already, in line %d", name, line).do("delete one of the two; a weight gives it a larger share"))
			continue
		}
		seen[name] = w.line
		n, s := f.node(name), f.server(name)
		var at netip.AddrPort
		switch {
		case n == nil && s == nil:
			if f.namesKnown {
				d.report(w.at, faultf("there is no server or node %s", quote(name)).do("%s", didYouMean(name, append(f.serverNames(), f.nodeNames()...))))
			}
			continue
		case b.kernel() && (s != nil && (s.tftp != nil || s.tftp6 != nil) || n != nil && (n.bad || slices.Contains(f.runs(n), RoleTFTP))):
			d.checkKernelBackend(f, b, w, n, s)
			continue
		case s != nil && s.tftp == nil && s.some:
			d.report(w.at, faultf("server %s speaks no TFTP, and nothing else is balanced", name).write(name+": {tftp: ADDRESS}"))
			continue
		case s != nil && s.tftp != nil:
			at = s.tftp.v
		case n != nil && !n.bad && !slices.Contains(f.runs(n), RoleTFTP):
			d.report(w.at, faultf("node %s does not have the role tftp", name).do("give it the role, or take it out of the list"))
			continue
		case n != nil && n.address != nil:
			at = netip.AddrPortFrom(n.address.v, f.tftpPort())
		}
		for i := range f.balances {
			if o := &f.balances[i]; o.listen != nil && at.IsValid() && o.listen.v == at {
				d.report(w.at, faultf("%s is at %s, which is the address of service %s itself: it would ask itself", name, at, o.name).do("name the servers that have the files"))
				break
			}
		}
	}
}

func (f *file) tftpPort() uint16 {
	if f.tftpListen != nil {
		return f.tftpListen.v.Port()
	}
	return DefaultTFTPPort
}

// checkBalanceAddresses looks whether a node's own TFTP server and a service want the same address and port.
func (d *decoder) checkBalanceAddresses(f *file, n *fileNode) {
	roles := f.runs(n)
	if !slices.Contains(roles, RoleLB) || !slices.Contains(roles, RoleTFTP) || n.address == nil {
		return
	}
	for i := range f.balances {
		b := &f.balances[i]
		a, _ := b.address(f)
		own := "udp/" + strconv.Itoa(int(f.tftpPort()))
		if t := b.takes(); !a.IsValid() || t != nil && !slices.Contains(t, own) {
			continue
		}
		p := b.at
		if b.listen != nil {
			p = b.listen.at
		} else if b.vip != nil {
			p = b.vip.at
		}
		is := netip.AddrPortFrom(a, f.tftpPort())
		switch {
		case a == n.address.v:
			d.report(p, faultf("%s is the address of node %s, whose own TFTP server listens there", is, n.name).
				do("give the service an address of its own, or another port; or leave the role tftp out of node %s: roles: [lb]", n.name))
		case f.tftpListen != nil && (f.tftpListen.v.Addr().IsUnspecified() || f.tftpListen.v.Addr() == a):
			d.report(f.tftpListen.at, faultf("node %s would listen for its own TFTP server at %s, which takes the address of service %s (%s) as well", n.name, f.tftpListen.v, b.name, is).
				do("leave tftp.listen out: beside a service, each node listens at its own address"))
			return
		}
	}
}
