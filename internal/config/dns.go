package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
)

// DNS is the nodes' DNS server. Its names are in boot.Site. The zero value: there is none.
type DNS struct {
	Zones     []string // absolute, in lower case
	Listen    netip.AddrPort
	TTL       time.Duration
	NS        []string // nodes, or absolute names
	Contact   string   // a mail address; "": hostmaster in the zone
	RateLimit int      // 0: none
}

// The values that stand in when the file names none.
const (
	DefaultDNSPort      = 53
	DefaultDNSTTL       = 10 * time.Second
	DefaultDNSRateLimit = 1000
	// maxDNSTTL bounds how long the dead stay in resolvers' answers.
	maxDNSTTL = 5 * time.Minute
)

// fileDNS is the section as written.
type fileDNS struct {
	at
	zones, ns  []parsed[string]
	listen     *parsed[netip.AddrPort]
	ttl        *parsed[time.Duration]
	contact    *parsed[string]
	rateLimit  *parsed[int]
	names      []fileName
	namesKnown bool
}

type fileName struct {
	at
	name    string
	file    *parsed[string]
	from    []parsed[string]
	order   *parsed[boot.Order]
	answers *parsed[int]
	bad     bool
}

func (d *decoder) dns(o object) *fileDNS {
	s, ok := o.section("dns")
	if !ok {
		return nil
	}
	f := &fileDNS{
		at:    s.at,
		zones: words(s, "zone", parseZone), ns: words(s, "ns", parseName),
		listen: one(s, "listen", parseListen(DefaultDNSPort, false)), ttl: one(s, "ttl", parseTTL),
		contact: one(s, "contact", parseContact), rateLimit: one(s, "rate_limit", parseCount(0, 1000000)),
	}
	f.namesKnown = s.named("names", func(name string, n object) {
		f.names = append(f.names, fileName{
			at: n.at, name: name, file: one(n, "file", parseFile), from: words(n, "from", parseName),
			order: one(n, "order", parseChoice(boot.Orders()...)), answers: one(n, "answers", parseAnswers),
			bad: n.unsure(),
		})
	})
	return f
}

const zonePattern = `^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`

var (
	scalarZone    = &Scalar{Name: "domain name", JSON: "string", Pattern: zonePattern}
	scalarAnswers = &Scalar{Name: "all, one, or a number", JSON: "string", Pattern: `^(all|one)$`, Number: true}

	zoneRegexp    = regexp.MustCompile(zonePattern)
	contactRegexp = regexp.MustCompile(`^[A-Za-z0-9._+-]{1,63}@[A-Za-z0-9.-]{1,150}$`)
)

// maxZone leaves room for the names below, of the 255 bytes that a name has (RFC 1035 section 2.3.4).
const maxZone = 150

// goodDomain reports whether a text is a domain name: labels of 1 to 63 characters.
func goodDomain(s string) bool {
	return zoneRegexp.MatchString(s) && !slices.ContainsFunc(strings.Split(s, "."), func(l string) bool { return len(l) > 63 })
}

func parseZone(v *value) (string, *fault) {
	s, f := parseText(v)
	switch {
	case f != nil:
		return "", f
	case !goodDomain(s) || len(s) > maxZone:
		return "", faultf("%s is not a domain name", quote(s)).write("boot.hq.example.net").do("labels of letters, digits and dashes, with dots between; %d characters at most", maxZone)
	}
	return absolute(s), nil
}

// absolute is the name with its final dot, in lower case.
func absolute(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) + "." }

func parseTTL(v *value) (time.Duration, *fault) {
	t, f := parseDuration(v)
	switch {
	case f != nil:
		return 0, f
	case t > maxDNSTTL:
		return 0, faultf("%s is longer than 5m: a dead server would be in resolvers' answers for so long", v.text).write(durationText(DefaultDNSTTL))
	case t%time.Second != 0:
		return 0, faultf("%s is no whole number of seconds, and DNS counts those", v.text).write(durationText(max(t.Round(time.Second), time.Second)))
	}
	return t, nil
}

func parseContact(v *value) (string, *fault) {
	s, f := parseText(v)
	if f == nil && !contactRegexp.MatchString(s) {
		f = faultf("%s is not a mail address", quote(s)).write("hostmaster@example.net")
	}
	return s, f
}

func parseAnswers(v *value) (int, *fault) {
	n, err := boot.ParseAnswers(v.text)
	if err != nil {
		return 0, faultf("%v", err).write("all")
	}
	return n, nil
}

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

func (d *decoder) checkNames(f *file) {
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

// resolveDNS fills in the section's defaults, and the names.
func (c *Config) resolveDNS(f *file) {
	if f.dns == nil {
		return
	}
	c.DNS = DNS{
		Zones:  plainList(f.dns.zones),
		Listen: f.dns.listen.or(netip.AddrPortFrom(c.Node.Addr, DefaultDNSPort)),
		TTL:    f.dns.ttl.or(DefaultDNSTTL), NS: plainList(f.dns.ns), Contact: f.dns.contact.or(""),
		RateLimit: f.dns.rateLimit.or(DefaultDNSRateLimit),
	}
	if len(c.DNS.NS) == 0 {
		for _, n := range c.Nodes {
			if slices.Contains(n.Roles, RoleDNS) {
				c.DNS.NS = append(c.DNS.NS, n.Name)
			}
		}
	}
	taken := map[string]bool{}
	for _, n := range f.dns.names {
		c.Site.Names = append(c.Site.Names, c.name(f, n))
		taken[strings.ToLower(n.name)] = true
	}
	for _, r := range c.Site.Rules {
		name := strings.ToLower(r.Name)
		if taken[name] || f.isHost(name) || !goodDomain(name) || strings.HasSuffix(name, ".") || strings.Contains(r.File, "://") {
			continue
		}
		taken[name] = true
		c.Site.Names = append(c.Site.Names, boot.Name{Name: r.Name, Rule: r.Name, File: r.File, From: slices.Clone(r.From), Order: boot.OrderRotate})
	}
}

// name fills in what the rule of the same name says, else the first for the same file.
func (c *Config) name(f *file, n fileName) boot.Name {
	out := boot.Name{Name: n.name, File: n.file.or(""), From: plainList(n.from), Order: n.order.or(boot.OrderRotate), Answers: n.answers.or(0)}
	var same, file *boot.Rule
	for i := range c.Site.Rules {
		r := &c.Site.Rules[i]
		if r.Name == n.name {
			same = r
		}
		if file == nil && r.File == out.File {
			file = r
		}
	}
	if same != nil && (out.File == "" || out.File == same.File) {
		out.Rule, out.File, file = same.Name, same.File, same
	}
	if out.From == nil && file != nil {
		out.From = slices.Clone(file.From)
	}
	if out.From == nil {
		out.From = f.handing()
	}
	return out
}

func (c *Config) writeDNS(line func(string, ...any)) {
	d := c.DNS
	if len(d.Zones) == 0 {
		return
	}
	line("\ndns:")
	line("  zone: %s", flow(d.Zones))
	if d.Listen != netip.AddrPortFrom(c.Node.Addr, DefaultDNSPort) { // which is another one on each node
		line("  listen: %s", addrText(d.Listen))
	}
	line("  ttl: %s", durationText(d.TTL))
	line("  ns: %s", flow(d.NS))
	if d.Contact != "" {
		line("  contact: %s", plain(d.Contact))
	}
	line("  rate_limit: %d", d.RateLimit)
	line("  names:")
	for _, n := range c.Site.Names {
		line("    %s: {file: %s, from: %s, order: %s, answers: %s}", plain(n.Name), plain(n.File), flow(n.From), n.Order, boot.AnswersText(n.Answers))
	}
}
