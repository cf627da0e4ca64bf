package config

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Balance is one service of the load balancer.
type Balance struct {
	Name      string
	Listen    netip.AddrPort
	Mode      string
	Backends  []Backend
	Scheduler string
	Persist   time.Duration // by the client's address; 0: not at all
	Cache     int64         // bytes of contents shared between clients; 0: none
	Fresh     time.Duration
	Sorry     string

	// What follows is of the data paths in the kernel.
	VIP        string     // the name of the service address, "": the address is kept by others, or by hand
	Address    netip.Addr // of the service, which is Listen's for a relay
	Interface  string     // where packets come in, on this node
	Plane      string
	Ports      []string      // as in udp/69; none: every packet
	Drain      time.Duration // a drained backend keeps its clients for so long
	Forwarding string        // who sets what the kernel needs to forward
}

// InKernel reports whether packets travel by a data path in the kernel.
func (b Balance) InKernel() bool { return b.Mode != ModeRelay }

// Backend is a server or node behind a service.
type Backend struct {
	Name   string
	Weight int
}

// The values that stand in when the file names none.
const (
	ModeRelay           = "relay"
	ModeDSR             = "dsr"
	ModeNAT             = "nat"
	ModeSNAT            = "snat"
	ForwardingTell      = "tell"
	ForwardingSet       = "set"
	DefaultBalanceDrain = 5 * time.Minute
	DefaultBalanceCache = 64 << 20
	DefaultBalanceFresh = 10 * time.Second
	maxBalances         = 100
)

// schedulers are the words of package lb; a test of package app holds the two together.
func schedulers() []string {
	return []string{"round-robin", "weighted", "least-transfers", "rendezvous", "maglev"}
}

func modes() []string { return []string{ModeRelay, ModeDSR, ModeNAT, ModeSNAT} }

// planes are the words of package lb.
func planes() []string { return []string{"auto", "xdp", "tcx", "nft"} }

type fileBalance struct {
	at
	name      string
	listen    *parsed[netip.AddrPort]
	mode      *parsed[string]
	backends  []parsed[Backend]
	scheduler *parsed[string]
	persist   *parsed[time.Duration]
	cache     *parsed[int64]
	fresh     *parsed[time.Duration]
	sorry     *parsed[string]
	bad       bool

	vip, iface, plane, forwarding *parsed[string]
	ports                         []parsed[string]
	drain                         *parsed[time.Duration]
	hasListen                     bool // it is written, right or wrong
}

func (d *decoder) balances(o object) (out []fileBalance, key *parsed[string]) {
	s, ok := o.section("lb")
	if !ok {
		return nil, nil
	}
	if p, ok := s.section("peers"); ok {
		key = one(p, "key_file", parsePath)
	}
	s.named("services", func(name string, n object) {
		b := fileBalance{
			at: n.at, name: name, listen: one(n, "listen", parseEndpoint(DefaultTFTPPort)), mode: one(n, "mode", parseChoice(modes()...)),
			backends: words(n, "backends", parseBackend), scheduler: one(n, "scheduler", parseChoice(schedulers()...)),
			cache: one(n, "cache", parseCache), fresh: one(n, "fresh", parseDuration), sorry: one(n, "sorry", parseText),
			vip: one(n, "vip", parseVIPOrAddr), iface: one(n, "interface", parseInterface), plane: one(n, "plane", parseChoice(planes()...)),
			forwarding: one(n, "forwarding", parseChoice(ForwardingTell, ForwardingSet)), ports: words(n, "ports", parsePort),
			drain: one(n, "drain", parseDuration), hasListen: n.has("listen"),
		}
		if p, ok := n.section("persistence"); ok {
			b.persist = one(p, "source_ip", parseDuration)
		}
		b.bad = n.unsure()
		out = append(out, b)
	})
	return out, key
}

const backendPattern = `^[A-Za-z0-9][A-Za-z0-9._-]*(\*[0-9]{1,3})?$`

var (
	scalarBackend = &Scalar{Name: "server, or server*weight", JSON: "string", Pattern: backendPattern}
	scalarVIP     = &Scalar{Name: "name of a service address, or an address", JSON: "string"}
	scalarPort    = &Scalar{Name: "protocol/port", JSON: "string", Pattern: `^(udp|tcp)/[0-9]+$`}
	scalarCache   = &Scalar{Name: "size with its unit (64MiB), or off", JSON: "string", Pattern: `^([0-9]+[KMGT]iB|off)$`}

	backendRegexp = regexp.MustCompile(backendPattern)
)

func parseBackend(v *value) (Backend, *fault) {
	if !backendRegexp.MatchString(v.text) {
		return Backend{}, faultf("%s is neither a server nor a server with its weight", quote(v.text)).write("pvs1*3")
	}
	b := Backend{Name: v.text, Weight: 1}
	for i := range v.text {
		if v.text[i] == '*' {
			b.Name = v.text[:i]
			b.Weight, _ = strconv.Atoi(v.text[i+1:])
		}
	}
	if b.Weight < 1 || b.Weight > 100 {
		return Backend{}, faultf("the weight of %s is %d, and 1 to 100 are possible", b.Name, b.Weight).write(b.Name+"*3").do("to take a server out for a while: surefoot server drain %s", b.Name)
	}
	return b, nil
}

// parseVIPOrAddr takes the name of a service address, or an address.
func parseVIPOrAddr(v *value) (string, *fault) {
	if a, err := netip.ParseAddr(v.text); err == nil {
		if a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.Is4In6() {
			return "", faultf("%s cannot be a service address", a).do("take a free address of the clients' network")
		}
		return a.String(), nil
	}
	if p, err := netip.ParsePrefix(v.text); err == nil {
		return "", faultf("%s is a subnet, and the address alone is wanted", v.text).write(p.Addr().String())
	}
	return parseName(v)
}

func parsePort(v *value) (string, *fault) {
	protocol, text, _ := strings.Cut(v.text, "/")
	n, err := strconv.Atoi(text)
	if protocol != "udp" && protocol != "tcp" || err != nil || n < 1 || n > 65535 || text != strconv.Itoa(n) {
		return "", faultf("%s is not a port with its protocol", quote(v.text)).write("udp/69")
	}
	return v.text, nil
}

func parseCache(v *value) (int64, *fault) {
	if v.text == "off" {
		return 0, nil
	}
	n, f := parseSize(v)
	switch {
	case f != nil:
		return 0, f
	case n < 1<<20:
		return 0, faultf("%s is too little for a boot file", v.text).write("64MiB").do("off gives each client a download of its own")
	}
	return n, nil
}
