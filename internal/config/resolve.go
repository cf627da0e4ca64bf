package config

import (
	"cmp"
	"net/netip"
	"slices"

	"surefoot/internal/boot"
)

// resolve makes a Config of a file without faults: defaults filled in, places dropped.
func resolve(f *file, path, self string, o Options) *Config {
	c := &Config{
		Path:         path,
		Root:         f.root.or(""),
		Fold:         f.fold.or(true),
		Status:       f.statusListen.or(netip.AddrPortFrom(loopback(), DefaultStatusPort)),
		Socket:       f.socket.or(DefaultSocket),
		Probe:        f.probe.or(ProbeNobody),
		MaxTransfers: f.maxTransfers.or(DefaultMaxTransfers),
		DrainTimeout: f.drain.or(DefaultDrainTimeout),
		Serving:      f.serving(),
		Uploads:      f.resolveUploads(),
		State:        f.state.or(DefaultState),
	}
	for i := range f.entries {
		c.Files = append(c.Files, f.entries[i].entry())
	}
	c.History, c.Alerts = f.past.resolve()
	for i := range f.nodes {
		n := f.nodes[i].node(f)
		if n.Name == self {
			if len(o.Interfaces) > 0 {
				n.Interfaces = slices.Clone(o.Interfaces)
			}
			c.Node = n
		}
		c.Nodes = append(c.Nodes, n)
	}
	listen := listenAddr(c.Node)
	c.TFTP = f.tftpListen.or(f.beside(c.Node, netip.AddrPortFrom(listen, DefaultTFTPPort)))
	c.HTTP = f.httpListen.or(netip.AddrPortFrom(listen, DefaultHTTPPort))
	c.Site = boot.Site{Name: f.site.or("default"), Self: self, Servers: map[string]boot.Server{}}
	c.addNodeServers()
	for _, s := range f.servers {
		none := netip.AddrPort{}
		c.Site.Servers[s.name] = boot.Server{
			Name: s.name, TFTP: s.tftp.or(none), HTTP: s.http.or(none), TFTP6: s.tftp6.or(none), HTTP6: s.http6.or(none),
		}
	}
	handing := f.handing()
	for i := range f.rules {
		r := f.rules[i].rule()
		if r.From == nil {
			r.From = slices.Clone(handing)
		}
		c.Site.Rules = append(c.Site.Rules, r)
	}
	c.Site.Networks = f.resolveNetworks()
	c.Tables = f.resolveTables()
	c.Offer = f.offer.over(defaultOffer())
	c.NetworkOffers = f.networkOffers(c.Site.Networks, c.Offer)
	c.Watch = f.resolveWatch(c)
	c.Store = f.store.resolve()
	c.resolveDHCP(f)
	c.resolveDHCP6(f)
	c.resolveDNS(f)
	c.resolveBalances(f)
	c.VIPs = f.resolveVIPs()
	c.resolveDeliveries()
	return c
}

// serving fills in what the number of transfers decides.
func (f *file) serving() Serving {
	most := f.maxTransfers.or(DefaultMaxTransfers)
	return Serving{
		PerClient:  f.perClient.or(max(16, most/8)),
		PerNetwork: f.perNetwork.or(most),
		Queue:      f.queue.or(DefaultQueue),
		QueueTime:  f.queueTime.or(DefaultQueueTime),
		Ports:      f.ports.or(Ports{}),
		BusyPoll:   f.busyPoll.or(0),
	}
}

func loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

// listenAddr is every address of the machine, unless nobody but the machine itself could use it.
func listenAddr(n Node) netip.Addr {
	if n.Addr.IsLoopback() && len(n.Interfaces) == 0 {
		return loopback()
	}
	return netip.IPv4Unspecified()
}

func (n *fileNode) node(f *file) Node {
	return Node{Name: n.name, Addr: n.address.or(netip.Addr{}), Addr6: n.address6.or(netip.Addr{}), Interfaces: plainList(n.interfaces), Roles: f.runs(n)}
}

// addNodeServers makes a server of every node, by what its roles serve. Every node listens on the
// same ports: the file is the same on all.
func (c *Config) addNodeServers() {
	for _, n := range c.Nodes {
		s := boot.Server{Name: n.Name, Node: true}
		if slices.Contains(n.Roles, RoleTFTP) {
			s.TFTP = netip.AddrPortFrom(n.Addr, c.TFTP.Port())
			if n.Addr6.IsValid() {
				s.TFTP6 = netip.AddrPortFrom(n.Addr6, c.TFTP.Port())
			}
		}
		if slices.Contains(n.Roles, RoleHTTP) {
			s.HTTP = netip.AddrPortFrom(n.Addr, c.HTTP.Port())
			if n.Addr6.IsValid() {
				s.HTTP6 = netip.AddrPortFrom(n.Addr6, c.HTTP.Port())
			}
		}
		if slices.Contains(n.Roles, RoleProxyDHCP) {
			s.PXE = n.Addr
		}
		c.Site.Servers[n.Name] = s
	}
}

// rule drops the places. From stays nil where the file names none.
func (r *fileRule) rule() boot.Rule {
	m := boot.Match{
		Firmware: plainList(r.when.firmware), MAC: plainList(r.when.mac), Network: plainList(r.when.network),
		UserClass: plainList(r.when.userClass), VendorClass: plainList(r.when.vendorClass),
	}
	for _, w := range r.when.arch {
		list, _ := boot.ParseArchs(w.v) // checked when it was read
		for _, a := range list {
			if !slices.Contains(m.Arch, a) {
				m.Arch = append(m.Arch, a)
			}
		}
	}
	return boot.Rule{
		Name: r.name.or(""), When: m, File: r.file.or(""), From: plainList(r.from),
		IPXE: r.ipxe.or(boot.IPXEScript), Contains: r.contains.or(""), SHA256: r.sha256.or(""),
		RootPath: r.rootPath.or(""), Options: bootOptions(r.options),
	}
}

// biosStyle is the form of the offer to legacy PXE ROMs where the file says nothing. With several
// nodes to ask, a list of them is worth the second that it takes: a ROM that was told one server
// and finds it dead does not come back by itself.
func (f *file) biosStyle() boot.BIOSStyle {
	asked := 0
	for i := range f.nodes {
		if slices.Contains(f.runs(&f.nodes[i]), RoleProxyDHCP) {
			asked++
		}
	}
	if asked > 1 {
		return boot.BIOSDiscover
	}
	return boot.BIOSDirect
}

// resolveNetworks orders the networks by the length of their prefix, the longest first, and the
// one without a subnet last.
func (f *file) resolveNetworks() []boot.Network {
	if len(f.networks) == 0 {
		return []boot.Network{{Name: defaultNetwork, Deliver: boot.DeliverProxy, BIOS: f.biosStyle()}}
	}
	var out []boot.Network
	for _, n := range f.networks {
		b := boot.Network{
			Name: n.name, Subnet: n.subnet.or(netip.Prefix{}), Subnet6: n.subnet6.or(netip.Prefix{}),
			Deliver: n.deliver.or(boot.DeliverProxy), BIOS: n.bios.or(f.biosStyle()),
		}
		if b.VIP = n.vip(); b.VIP != "" {
			b.Deliver = boot.DeliverProxy
		}
		if n.only6 {
			b.Deliver = boot.DeliverNone // that is of IPv4
		}
		for _, r := range n.reservations {
			if r.duid != nil {
				if b.ByDUID == nil {
					b.ByDUID = map[string]boot.Reservation{}
				}
				b.ByDUID[r.duid.v] = boot.Reservation{Name: r.name.or(r.duid.v), Addr6: r.ip6.or(netip.Addr{})}
				continue
			}
			if b.Reservations == nil {
				b.Reservations = map[boot.MAC]boot.Reservation{}
			}
			mac := r.mac.or(boot.MAC{})
			b.Reservations[mac] = boot.Reservation{Name: r.name.or(mac.String()), Rule: r.boot.or(""), Addr: r.ip.or(netip.Addr{}), Addr6: r.ip6.or(netip.Addr{})}
		}
		out = append(out, b)
	}
	slices.SortStableFunc(out, func(a, b boot.Network) int { return cmp.Compare(order(b), order(a)) })
	return out
}

// resolveTables lists the files of reservations, with who stands in them.
func (f *file) resolveTables() []Table {
	var out []Table
	for _, n := range f.networks {
		if n.reservationsFile == nil {
			continue
		}
		t := Table{Network: n.name, File: n.reservationsFile.v}
		for _, r := range n.reservations {
			if r.src != nil && r.mac != nil {
				t.MACs = append(t.MACs, r.mac.v)
			}
			if r.src != nil && r.duid != nil {
				t.DUIDs = append(t.DUIDs, r.duid.v)
			}
		}
		out = append(out, t)
	}
	return out
}
