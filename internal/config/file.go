package config

import (
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/boot"
)

// file is the site file as written: nil is "not there", and every value knows its place. Nothing
// outside of this package sees it.
type file struct {
	at                        // of the file's first key
	site, root                *parsed[string]
	nodes                     []fileNode
	servers                   []fileServer
	rules                     []fileRule
	networks                  []fileNetwork
	entries                   []fileEntry
	tftpListen, httpListen    *parsed[netip.AddrPort]
	statusListen              *parsed[netip.AddrPort]
	probe                     *parsed[ProbeFor]
	fold                      *parsed[bool]
	maxTransfers              *parsed[int]
	perClient, perNetwork     *parsed[int]
	queue                     *parsed[int]
	queueTime, busyPoll       *parsed[time.Duration]
	ports                     *parsed[Ports]
	uploads                   []fileUpload
	offer                     fileOffer
	socket                    *parsed[string]
	drain                     *parsed[time.Duration]
	state                     *parsed[string]
	watch                     fileWatch
	past                      fileHistory
	dhcp                      fileDHCP
	store                     fileStore
	dns                       *fileDNS // nil: not there
	balances                  []fileBalance
	lbPeersKey                *parsed[string]
	vips                      []fileVIP
	nodesAt, bootAt           at   // of the keys
	namesKnown                bool // nothing in nodes and servers was unreadable
	rulesKnown, networksKnown bool // the same of boot and of networks
}

type fileNode struct {
	at
	name       string
	address    *parsed[netip.Addr]
	address6   *parsed[netip.Addr]
	interfaces []parsed[string]
	roles      []parsed[string] // nil: by default
	bad        bool             // something in it was unreadable
}

type fileServer struct {
	at
	name       string
	tftp, http *parsed[netip.AddrPort]
	tftp6      *parsed[netip.AddrPort]
	http6      *parsed[netip.AddrPort]
	some       bool // a protocol is written, be it right or wrong
}

type fileRule struct {
	at
	name, file, contains, sha256 *parsed[string]
	rootPath                     *parsed[string]
	options                      []fileOption
	when                         fileMatch
	from                         []parsed[string] // nil: by default
	bad                          bool             // something in it was unreadable
	ipxe                         *parsed[boot.IPXEMode]
}

type fileMatch struct {
	arch, mac, network, userClass, vendorClass []parsed[string]
	firmware                                   []parsed[boot.Firmware]
}

type fileNetwork struct {
	at
	name              string
	subnet            *parsed[netip.Prefix]
	subnet6           *parsed[netip.Prefix]
	has6              bool // it has a subnet6 written, right or wrong
	dhcp6             fileDHCP6
	only6             bool // and nothing of IPv4
	open              bool // it has no subnet written, right or wrong
	proxy             bool // it delivers by proxy
	deliver           *parsed[boot.Delivery]
	bios              *parsed[boot.BIOSStyle]
	reservations      []fileReservation
	reservationsFile  *parsed[string]
	offer             fileOffer
	dhcp              fileDHCP
	reservationsKnown bool // nothing in them was unreadable
}

type fileUpload struct {
	at
	folder            *parsed[string]
	mode              *parsed[UploadMode]
	maxSize, maxTotal *parsed[int64]
	from              []parsed[netip.Prefix]
}

type fileReservation struct {
	at
	src        *source // the file that it stands in, nil: this one
	mac        *parsed[boot.MAC]
	duid       *parsed[string] // instead of mac
	ip, ip6    *parsed[netip.Addr]
	name, boot *parsed[string]
}

// file reads the whole file.
func (d *decoder) file(o object) *file {
	o, _ = d.open(o.val, o.at, o.key)
	f := &file{
		at:    o.at,
		site:  one(o, "site", parseName),
		root:  one(o, "root", parsePath),
		drain: one(o, "drain_timeout", parseDuration),
		state: one(o, "state", parsePath),
		watch: d.watch(o),
	}
	if k, ok := o.field("nodes"); ok {
		f.nodesAt = o.place(k)
	}
	if k, ok := o.field("boot"); ok {
		f.bootAt = o.place(k)
	}
	nodes := o.named("nodes", func(name string, n object) { f.nodes = append(f.nodes, d.node(name, n)) })
	servers := o.named("servers", func(name string, s object) { f.servers = append(f.servers, d.server(name, s)) })
	f.namesKnown = nodes && servers
	f.rulesKnown = o.each("boot", func(_ int, r object) { f.rules = append(f.rules, d.rule(r)) })
	f.networksKnown = o.named("networks", func(name string, n object) { f.networks = append(f.networks, d.network(name, n)) })
	o.each("files", func(_ int, e object) { f.entries = append(f.entries, d.entry(e)) })
	if s, ok := o.section("tftp"); ok {
		f.tftpListen = one(s, "listen", parseListen(DefaultTFTPPort, true))
		f.fold = one(s, "fold_names", parseBool)
		f.maxTransfers = one(s, "max_transfers", parseCount(1, 60000))
		f.perClient = one(s, "max_per_client", parseCount(1, 60000))
		f.perNetwork = one(s, "max_per_network", parseCount(1, 60000))
		f.queue = one(s, "queue", parseCount(0, 60000))
		f.queueTime = one(s, "queue_time", parseDuration)
		f.ports = one(s, "ports", parsePorts)
		s.each("uploads", func(_ int, u object) { f.uploads = append(f.uploads, d.upload(u)) })
		f.busyPoll = one(s, "busy_poll", parseBusyPoll)
		f.offer = readOffer(s)
	}
	if s, ok := o.section("http"); ok {
		f.httpListen = one(s, "listen", parseListen(DefaultHTTPPort, true))
	}
	f.dhcp = d.dhcp(o, false)
	f.store = d.store(o)
	f.dns = d.dns(o)
	f.balances, f.lbPeersKey = d.balances(o)
	f.vips = d.vips(o)
	if s, ok := o.section("status"); ok {
		f.statusListen = one(s, "listen", parseListen(DefaultStatusPort, false))
		f.socket = one(s, "socket", parseSocket)
		f.probe = one(s, "probe", parseProbe)
	}
	f.past = d.history(o)
	return f
}

func (d *decoder) node(name string, o object) fileNode {
	n := fileNode{
		at: o.at, name: name,
		address:    one(o, "address", parseAddr),
		address6:   one(o, "address6", parseAddr6),
		interfaces: words(o, "interfaces", parseInterface),
		roles:      words(o, "roles", parseChoice(RoleProxyDHCP, RoleDHCP, RoleDHCP6, RoleTFTP, RoleHTTP, RoleDNS, RoleLB)),
	}
	n.bad = o.unsure()
	return n
}

func (d *decoder) server(name string, o object) fileServer {
	return fileServer{
		at: o.at, name: name,
		tftp:  one(o, "tftp", parseEndpoint(DefaultTFTPPort)),
		http:  one(o, "http", parseEndpoint(80)),
		tftp6: one(o, "tftp6", parseEndpoint6(DefaultTFTPPort)),
		http6: one(o, "http6", parseEndpoint6(80)),
		some:  o.has("tftp") || o.has("http") || o.has("tftp6") || o.has("http6"),
	}
}

func (d *decoder) rule(o object) fileRule {
	r := fileRule{
		at:       o.at,
		name:     one(o, "name", parseName),
		file:     one(o, "file", parseFile),
		from:     words(o, "from", parseName),
		ipxe:     one(o, "ipxe", parseChoice(boot.IPXEScript, boot.IPXEFile)),
		contains: one(o, "contains", parseText),
		sha256:   one(o, "sha256", parseSHA256),
		rootPath: one(o, "root_path", parseRootPath),
		options:  readOptions(o),
	}
	if w, ok := o.section("when"); ok {
		r.bad = w.unsure()
		r.when = fileMatch{
			arch:        words(w, "arch", parseArch),
			firmware:    words(w, "firmware", parseChoice(boot.Firmwares()...)),
			mac:         words(w, "mac", parseMACStart),
			network:     words(w, "network", parseName),
			userClass:   words(w, "user_class", parseText),
			vendorClass: words(w, "vendor_class", parseText),
		}
	}
	r.bad = r.bad || o.unsure()
	return r
}

func (d *decoder) network(name string, o object) fileNetwork {
	n := fileNetwork{
		at: o.at, name: name,
		subnet:  one(o, "subnet", parseSubnet),
		deliver: one(o, "deliver", parseDeliver),
		bios:    one(o, "bios", parseChoice(boot.BIOSDirect, boot.BIOSDiscover)),
	}
	n.subnet6, n.has6 = one(o, "subnet6", parseSubnet6), o.has("subnet6")
	n.proxy = !o.has("deliver") && (o.has("subnet") || !n.has6) || n.deliver != nil && (n.deliver.v == boot.DeliverProxy || n.vip() != "")
	n.open = !o.has("subnet") && !n.has6
	n.only6 = !o.has("subnet") && n.has6
	if t, ok := o.section("tftp"); ok {
		n.offer = readOffer(t)
	}
	n.dhcp = d.dhcp(o, true)
	n.dhcp6 = d.dhcp6(o)
	n.reservationsKnown = o.each("reservations", func(_ int, r object) {
		n.reservations = append(n.reservations, fileReservation{
			at:   r.at,
			mac:  one(r, "mac", parseMAC),
			duid: one(r, "duid", parseDUID),
			name: one(r, "name", parseName),
			boot: one(r, "boot", parseName),
			ip:   one(r, "ip", parseAddr),
			ip6:  one(r, "ip6", parseAddr6),
		})
		if !r.has("mac") && !r.has("duid") && !slices.Contains(r.meant, "mac") {
			d.report(at{r.line, r.col, join(r.path, "mac")}, faultf("mac is missing").write(`mac: "52:54:00:12:34:56"`))
		}
	})
	n.reservationsFile = one(o, "reservations_file", parsePath)
	n.reservationsKnown = n.reservationsKnown && (n.reservationsFile != nil) == o.has("reservations_file")
	return n
}

// byProxy reports whether any network delivers by proxy; without networks the default one does.
func (f *file) byProxy() bool {
	if len(f.networks) == 0 {
		return f.networksKnown
	}
	return slices.ContainsFunc(f.networks, func(n fileNetwork) bool { return n.proxy })
}

// byDHCP reports whether any network is given its addresses by the nodes.
func (f *file) byDHCP() bool {
	return slices.ContainsFunc(f.networks, func(n fileNetwork) bool { return n.byDHCP() })
}

// runs lists the roles of a node.
func (f *file) runs(n *fileNode) []string {
	if len(n.roles) > 0 {
		return plainList(n.roles)
	}
	roles := []string{RoleTFTP, RoleHTTP}
	if f.byProxy() {
		roles = slices.Insert(roles, 0, RoleProxyDHCP)
	}
	if f.byDHCP() {
		roles = slices.Insert(roles, len(roles)-2, RoleDHCP)
	}
	if f.byDHCP6() {
		roles = slices.Insert(roles, len(roles)-2, RoleDHCP6)
	}
	if f.dns != nil {
		roles = append(roles, RoleDNS)
	}
	if len(f.balances) > 0 {
		roles = append(roles, RoleLB)
	}
	return roles
}

// plainList drops the places.
func plainList[T any](list []parsed[T]) []T {
	var out []T
	for _, p := range list {
		out = append(out, p.v)
	}
	return out
}

// or is the value, or another one if it is not there.
func (p *parsed[T]) or(other T) T {
	if p == nil {
		return other
	}
	return p.v
}
