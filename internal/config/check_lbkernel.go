package config

import (
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// maxKernelBackends is how many backends a data path in the kernel knows for one service.
const maxKernelBackends = 64

// kernel reports whether packets travel by a data path in the kernel.
func (b *fileBalance) kernel() bool { return b.mode.or(ModeRelay) != ModeRelay }

// address is the one that clients ask: with the vip that keeps it, nil where it is written itself.
func (b *fileBalance) address(f *file) (netip.Addr, *fileVIP) {
	switch {
	case b.vip == nil && b.listen != nil:
		return b.listen.v.Addr(), nil
	case b.vip == nil:
		return netip.Addr{}, nil
	}
	if a, err := netip.ParseAddr(b.vip.v); err == nil {
		return a, nil
	}
	for i := range f.vips {
		if v := &f.vips[i]; v.name == b.vip.v {
			return v.address.or(netip.Prefix{}).Addr(), v
		}
	}
	return netip.Addr{}, nil
}

// takes are the ports of the address that go to the backends; none: all of them.
func (b *fileBalance) takes() []string {
	switch {
	case !b.kernel():
		port := uint16(DefaultTFTPPort)
		if b.listen != nil {
			port = b.listen.v.Port()
		}
		return []string{"udp/" + strconv.Itoa(int(port))}
	case len(b.ports) > 0:
		return plainList(b.ports)
	case b.mode.or("") == ModeDSR:
		return nil
	}
	return []string{"udp/" + strconv.Itoa(DefaultTFTPPort)}
}

func (b *fileBalance) takesTFTP() bool {
	t := b.takes()
	return t == nil || slices.Contains(t, "udp/"+strconv.Itoa(DefaultTFTPPort))
}

// defaultDirectPersist is how long a client keeps its backend where each packet is handed on by itself, and
// its turn alone would scatter the packets of a transfer.
const defaultDirectPersist = 100 * time.Second

// leastPersist stands in where the file says nothing.
func (b *fileBalance) leastPersist() time.Duration {
	s := b.scheduler.or(schedulers()[0])
	if b.mode.or("") == ModeDSR && (s == "round-robin" || s == "weighted") {
		return defaultDirectPersist
	}
	return 0
}

// checkBalanceKeys looks for keys that do not go with the mode.
func (d *decoder) checkBalanceKeys(f *file, b *fileBalance) {
	mode := b.mode.or(ModeRelay)
	wrong := func(there bool, p at, key, where string) {
		if there {
			d.report(p, faultf("%s is for %s, and the mode of service %s is %s", key, where, b.name, mode).do("leave the key out, or choose another mode"))
		}
	}
	relay := !b.kernel()
	for key, p := range map[string]*parsed[string]{"interface": b.iface, "sorry": b.sorry, "plane": b.plane, "forwarding": b.forwarding} {
		if p == nil {
			continue
		}
		switch key {
		case "sorry":
			wrong(!relay, p.at, key, "mode relay")
		case "interface":
			wrong(relay, p.at, key, "modes dsr, nat and snat")
		case "plane":
			wrong(mode != ModeDSR, p.at, key, "mode dsr")
		case "forwarding":
			wrong(mode != ModeNAT && mode != ModeSNAT, p.at, key, "modes nat and snat")
		}
	}
	if b.ports != nil {
		wrong(relay, b.ports[0].at, "ports", "modes dsr, nat and snat")
	}
	if b.drain != nil {
		wrong(relay, b.drain.at, "drain", "modes dsr, nat and snat")
	}
	if b.cache != nil {
		wrong(!relay, b.cache.at, "cache", "mode relay")
	}
	if b.fresh != nil {
		wrong(!relay, b.fresh.at, "fresh", "mode relay")
	}
	if !relay && b.scheduler != nil && b.scheduler.v == "least-transfers" {
		d.report(b.scheduler.at, faultf("a data path in the kernel does not count transfers, so that mode %s has no least-transfers", mode).write("scheduler: round-robin"))
	}
	if b.persist != nil && b.leastPersist() > 0 && b.persist.v < time.Second {
		d.report(b.persist.at, faultf("mode dsr hands on each packet by itself: by turn, and without persistence, those of one transfer would go to different backends").
			write("source_ip: 100s").do("or take a scheduler by the client's address: scheduler: maglev"))
	}
	d.checkBalanceAddress(f, b)
}

func (d *decoder) checkBalanceAddress(f *file, b *fileBalance) {
	mode := b.mode.or(ModeRelay)
	switch {
	case b.bad:
	case b.vip == nil && !b.hasListen:
		d.report(b.at, faultf("service %s has no address that clients ask", b.name).do("name one of vips, or write the address: vip: 10.10.0.20"))
	case b.vip != nil && b.hasListen:
		d.report(b.vip.at, faultf("service %s has both listen and vip", b.name).do("leave listen out: vip says the address, too"))
	case b.listen != nil && b.kernel():
		d.report(b.listen.at, faultf("mode %s listens nowhere: the kernel hands packets on", mode).write("vip: "+b.listen.v.Addr().String()))
	}
	if b.vip == nil {
		return
	}
	a, _ := b.address(f)
	if _, err := netip.ParseAddr(b.vip.v); err != nil && !slices.ContainsFunc(f.vips, func(v fileVIP) bool { return v.name == b.vip.v }) {
		var names []string
		for _, v := range f.vips {
			names = append(names, v.name)
		}
		d.report(b.vip.at, faultf("there is no service address %s in vips", quote(b.vip.v)).do("%s", didYouMean(b.vip.v, names)))
	}
	if a.Is6() && !b.kernel() {
		d.report(b.vip.at, faultf("%s is an IPv6 address, and a relay serves IPv4 only", a).write("vip: 10.10.0.20"))
	}
}

// checkBalanceOverlap looks for two services that want the same packets.
func (d *decoder) checkBalanceOverlap(f *file) {
	for i := range f.balances {
		b := &f.balances[i]
		a, _ := b.address(f)
		if !a.IsValid() || b.vip == nil {
			continue
		}
		for j := range f.balances {
			o := &f.balances[j]
			if oa, _ := o.address(f); j == i || oa != a || o.vip != nil && j > i {
				continue
			}
			mine, others := b.takes(), o.takes()
			both := slices.ContainsFunc(mine, func(p string) bool { return slices.Contains(others, p) })
			if mine == nil || others == nil || both {
				d.report(b.vip.at, faultf("service %s takes packets to %s already, in line %d", o.name, a, o.line).do("every service has an address of its own, or other ports"))
				break
			}
		}
	}
}

// subnet is the one that an address is on, as far as the file says.
func (f *file) subnet(a netip.Addr, v *fileVIP) (netip.Prefix, bool) {
	if v != nil && v.address != nil && v.address.v.Bits() < a.BitLen() {
		return v.address.v.Masked(), true
	}
	for _, n := range f.networks {
		for _, s := range []*parsed[netip.Prefix]{n.subnet, n.subnet6} {
			if s != nil && s.v.Contains(a) {
				return s.v.Masked(), true
			}
		}
	}
	return netip.Prefix{}, false
}

// checkKernelBackend looks at one backend of a service whose packets travel in the kernel.
func (d *decoder) checkKernelBackend(f *file, b *fileBalance, w parsed[Backend], n *fileNode, s *fileServer) {
	a, vip := b.address(f)
	mode := b.mode.or(ModeRelay)
	if n != nil && !n.bad && slices.Contains(f.runs(n), RoleLB) {
		d.report(w.at, faultf("node %s has the role lb itself, and mode %s hands no packet to its own node", n.name, mode).
			do("say which roles it has, without lb: roles: [tftp, http]; or take mode: relay"))
		return
	}
	var at netip.AddrPort
	switch {
	case s != nil && a.Is6():
		if s.tftp6 == nil {
			d.report(w.at, faultf("the service has the IPv6 address %s, and server %s has no tftp6", a, s.name).write(s.name+": {tftp6: fd00:10:10::21}"))
			return
		}
		at = s.tftp6.v
	case s != nil && s.tftp != nil:
		at = s.tftp.v
	case n != nil && a.Is6():
		if n.address6 == nil && !n.bad {
			d.report(w.at, faultf("the service has the IPv6 address %s, and node %s has no address6", a, n.name).do("give the node its IPv6 address: address6: fd00:10:10::11"))
			return
		}
		at = netip.AddrPortFrom(n.address6.or(netip.Addr{}), f.tftpPort())
	case n != nil && n.address != nil:
		at = netip.AddrPortFrom(n.address.v, f.tftpPort())
	}
	switch {
	case !at.Addr().IsValid() || !a.IsValid():
		return
	case at.Addr() == a:
		d.report(w.at, faultf("%s is at %s, which is the address of service %s itself: packets would go round in a circle", w.v.Name, a, b.name).do("name the servers that have the files"))
		return
	}
	if mode != ModeDSR {
		return
	}
	if at.Port() != DefaultTFTPPort && b.takesTFTP() {
		d.report(w.at, faultf("%s answers TFTP at port %d, and mode dsr changes no port: requests come to port %d", w.v.Name, at.Port(), DefaultTFTPPort).do("let the server listen at port 69, or take mode: nat"))
	}
	if net, ok := f.subnet(a, vip); ok && !net.Contains(at.Addr()) {
		d.report(w.at, faultf("%s is at %s, outside of %s, and mode dsr reaches backends by their MAC address only", w.v.Name, at.Addr(), net).do("name servers on the service's own segment, or take mode: nat or relay"))
	}
}

// checkBalanceNode looks whether one node can do what the services want of it.
func (d *decoder) checkBalanceNode(f *file, n *fileNode, interfaces []string) {
	if !slices.Contains(f.runs(n), RoleLB) {
		return
	}
	for i := range f.balances {
		b := &f.balances[i]
		a, vip := b.address(f)
		if !b.kernel() || b.bad || !a.IsValid() {
			continue
		}
		iface := f.balanceInterface(b, n)
		if iface == "" && len(interfaces) > 0 {
			iface = interfaces[0]
		}
		if iface == "" && b.mode.or("") == ModeDSR && !n.bad {
			d.report(b.at, faultf("neither service %s nor node %s names the interface of the data path", b.name, n.name).do("write interface: eth1 here, or interfaces: [eth1] at the node"))
			continue
		}
		own := n.address
		if a.Is6() {
			own = n.address6
		}
		first := len(n.interfaces) > 0 && iface == n.interfaces[0].v
		if net, ok := f.subnet(a, vip); ok && vip != nil && first && own != nil && own.v != a && !net.Contains(own.v) {
			d.report(b.vip.at, faultf("the service address %s is in %s, and node %s has %s on %s", a, net, n.name, own.v, iface).
				do("take an address of the subnet of %s, or name the interface that is in %s: interface: eth2", iface, net))
		}
	}
}

// balanceInterface is where packets of a service come in on a node.
func (f *file) balanceInterface(b *fileBalance, n *fileNode) string {
	if b.iface != nil {
		return b.iface.v
	}
	if _, vip := b.address(f); vip != nil {
		for _, m := range vip.members(f) {
			if m.Name == n.name && m.Interface != "" {
				return m.Interface
			}
		}
		if vip.iface != nil {
			return vip.iface.v
		}
	}
	if len(n.interfaces) > 0 {
		return n.interfaces[0].v
	}
	return ""
}

// balanced reports whether a service has this address.
func (f *file) balanced(vip string) bool {
	return slices.ContainsFunc(f.balances, func(b fileBalance) bool { return b.vip != nil && b.vip.v == vip })
}

// balancing lists the nodes with the role lb.
func (f *file) balancing() []string {
	var out []string
	for i := range f.nodes {
		if slices.Contains(f.runs(&f.nodes[i]), RoleLB) {
			out = append(out, f.nodes[i].name)
		}
	}
	return out
}
