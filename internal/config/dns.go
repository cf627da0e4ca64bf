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
