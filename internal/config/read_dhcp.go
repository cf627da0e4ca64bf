package config

import (
	"net/netip"
	"strconv"
	"time"

	"surefoot/internal/wire/dhcp4"
)

// fileDHCP is the section dhcp as written, of the file or of a network.
type fileDHCP struct {
	at
	written, bad                    bool
	leases                          *parsed[string]
	ranges, exclude                 []parsed[AddrRange]
	routers, dns, ntp               []parsed[netip.Addr]
	routes                          []parsed[dhcp4.Route]
	wire                            *parsed[string]
	split                           []fileSplit
	lease, minLease, maxLease       *parsed[time.Duration]
	offer, decline, rest            *parsed[time.Duration]
	conflictWait                    *parsed[time.Duration]
	mtu                             *parsed[int]
	authoritative, nakPXE, conflict *parsed[bool]
	identity                        *parsed[LeaseIdentity]
	broadcast                       *parsed[BroadcastMode]
	option66                        *parsed[ListMode]
	domain                          *parsed[string]
	options                         []fileOption
}

type fileSplit struct {
	at
	node *parsed[string]
	part *parsed[AddrRange]
}

type fileOption struct {
	at
	option *parsed[string]
	value  *parsed[string]
	always *parsed[bool]
}

const (
	leastLease = 2 * time.Minute
	mostLease  = 365 * 24 * time.Hour
)

// dhcp reads a section; own says that it is a network's.
func (d *decoder) dhcp(o object, own bool) fileDHCP {
	s, ok := o.section("dhcp")
	if !ok {
		return fileDHCP{}
	}
	f := fileDHCP{
		at: s.at, written: true,
		lease: one(s, "lease", parseLease), minLease: one(s, "min_lease", parseLease), maxLease: one(s, "max_lease", parseLease),
		offer: one(s, "offer_time", parseOfferTime), decline: one(s, "decline_time", parseSpan(0)), rest: one(s, "rest", parseSpan(0)),
		authoritative: one(s, "authoritative", parseBool), nakPXE: one(s, "nak_pxe", parseBool), conflict: one(s, "conflict_check", parseBool),
		conflictWait: one(s, "conflict_wait", parseConflictWait), mtu: one(s, "mtu", parseMTU),
		identity:  one(s, "identity", parseChoice(IdentityHardware, IdentityClientID)),
		broadcast: one(s, "broadcast", parseChoice(BroadcastAsked, BroadcastAlways)),
		option66:  one(s, "option_66", parseChoice(ListFirst, ListAll)),
		dns:       words(s, "dns", parseAddr), ntp: words(s, "ntp", parseAddr),
		domain:  one(s, "domain", parseText),
		options: readOptions(s),
	}
	f.bad = s.unsure()
	if !own {
		f.leases = one(s, "leases", parsePath)
		return f
	}
	f.ranges, f.exclude = words(s, "range", parseRange4), words(s, "exclude", parseRange4)
	f.routers, f.routes, f.wire = words(s, "router", parseAddr), words(s, "routes", parseRoute), one(s, "wire", parseName)
	s.each("split", func(_ int, p object) {
		f.split = append(f.split, fileSplit{at: p.at, node: one(p, "node", parseName), part: one(p, "range", parseRange4)})
	})
	return f
}

func readOptions(o object) []fileOption {
	var out []fileOption
	o.each("options", func(_ int, p object) {
		out = append(out, fileOption{at: p.at, option: one(p, "option", parseOption), value: one(p, "value", parseText), always: one(p, "always", parseBool)})
	})
	return out
}

func parseLease(v *value) (time.Duration, *fault) {
	t, f := parseSpan(0)(v)
	if f == nil && (t < leastLease || t > mostLease || t%time.Second != 0) {
		f = faultf("%s is not a time from 2m to 365d in whole seconds", v.text).write("8h")
	}
	return t, f
}

func parseOfferTime(v *value) (time.Duration, *fault) {
	t, f := parseDuration(v)
	if f == nil && (t < 5*time.Second || t > 10*time.Minute) {
		f = faultf("%s is not between 5s and 10m", v.text).write("1m")
	}
	return t, f
}

func parseConflictWait(v *value) (time.Duration, *fault) {
	t, f := parseDuration(v)
	if f == nil && t > 3*time.Second {
		f = faultf("%s is not between 0s and 3s: boot ROMs ask again after four", v.text).write("500ms")
	}
	return t, f
}

func parseMTU(v *value) (int, *fault) {
	n, f := parseCount(1, 65535)(v)
	if f == nil && n < 576 { // RFC 791 section 3.1: every host takes as much
		f = faultf("%s is not between 576 and 65535", v.text).write("9000")
	}
	return n, f
}

// parseRoute takes NETWORK via ROUTER.
func parseRoute(v *value) (dhcp4.Route, *fault) {
	b, err := dhcp4.ParseValue(dhcp4.ClasslessRoutes, v.text)
	if routes, bad := dhcp4.ParseRoutes(b); err == nil && bad == nil && len(routes) == 1 {
		return routes[0], nil
	}
	return dhcp4.Route{}, faultf("%s is not a route", quote(v.text)).write("10.0.0.0/8 via 10.10.0.2")
}

// parseOption takes the number of an option, or its name.
func parseOption(v *value) (string, *fault) {
	if n, err := strconv.Atoi(v.text); err == nil {
		if n < 1 || n > 254 {
			return "", faultf("%s is not an option: they have numbers from 1 to 254", v.text).do("surefoot config explain dhcp.options says more")
		}
		return strconv.Itoa(n), nil
	}
	if _, err := dhcp4.ParseCode(v.text); err != nil {
		return "", faultf("%s", err).do("write its number, from 1 to 254")
	}
	return v.text, nil
}

// parseRootPath takes the text of option 17.
func parseRootPath(v *value) (string, *fault) {
	s, f := parseText(v)
	if f == nil && len(s) > 255 {
		f = faultf("option 17 has at most 255 bytes, this text has %d", len(s)).do("use a name instead of addresses, or fewer of them")
	}
	return s, f
}
