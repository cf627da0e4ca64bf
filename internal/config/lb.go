package config

import (
	"net/netip"
	"regexp"
	"strconv"
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
}

// Backend is a server or node behind a service.
type Backend struct {
	Name   string
	Weight int
}

// The values that stand in when the file names none.
const (
	ModeRelay           = "relay"
	DefaultBalanceCache = 64 << 20
	DefaultBalanceFresh = 10 * time.Second
	maxBalances         = 100
)

// schedulers are the words of package lb; a test of package app holds the two together.
func schedulers() []string {
	return []string{"round-robin", "weighted", "least-transfers", "rendezvous"}
}

// laterModes are the ways of balancing that later versions bring.
func laterModes() []string { return []string{"nat", "dsr"} }

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
}

func (d *decoder) balances(o object) (out []fileBalance) {
	s, ok := o.section("lb")
	if !ok {
		return nil
	}
	s.named("services", func(name string, n object) {
		b := fileBalance{
			at: n.at, name: name, listen: one(n, "listen", parseEndpoint(DefaultTFTPPort)), mode: one(n, "mode", parseMode),
			backends: words(n, "backends", parseBackend), scheduler: one(n, "scheduler", parseChoice(schedulers()...)),
			cache: one(n, "cache", parseCache), fresh: one(n, "fresh", parseDuration), sorry: one(n, "sorry", parseText),
		}
		if p, ok := n.section("persistence"); ok {
			b.persist = one(p, "source_ip", parseDuration)
		}
		b.bad = n.unsure()
		out = append(out, b)
	})
	return out
}

const backendPattern = `^[A-Za-z0-9][A-Za-z0-9._-]*(\*[0-9]{1,3})?$`

var (
	scalarBackend = &Scalar{Name: "server, or server*weight", JSON: "string", Pattern: backendPattern}
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

func parseMode(v *value) (string, *fault) {
	for _, m := range laterModes() {
		if v.text == m {
			return "", faultf("mode %s is not in this version of Surefoot", m).write("relay").do("relay needs nothing of the kernel and of the backends; docs/relay.md says when another way would be better")
		}
	}
	return parseChoice(ModeRelay)(v)
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
