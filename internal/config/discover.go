package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Discover is how this node asks its segments who answers DISCOVERs.
type Discover struct {
	Every    time.Duration // 0: it does not
	Wait     time.Duration // for offers
	Networks []string      // only on these; none: on all that it answers on
	Expect   []netip.Addr  // servers that are to answer there
}

// The values that stand in when the file names none. The wait is longer than the 4 s in which UEFI
// firmware collects offers (F7): dnsmasq and others look for 3 s whether an address is free.
const (
	DefaultDiscoverEvery = 2 * time.Minute
	DefaultDiscoverWait  = 5 * time.Second
)

// Bounds: each probe is three DISCOVERs, and servers hold an address back for a while.
const (
	leastDiscoverEvery = 2 * time.Second
	leastDiscoverWait  = 100 * time.Millisecond
)

// fileDiscover is the section as written.
type fileDiscover struct {
	every, wait *parsed[time.Duration]
	networks    []parsed[string]
	expect      []parsed[netip.Addr]
}

func decodeDiscover(o object) fileDiscover {
	s, ok := o.section("discover")
	if !ok {
		return fileDiscover{}
	}
	return fileDiscover{
		every: one(s, "every", parseDuration), wait: one(s, "wait", parseDuration),
		networks: words(s, "networks", parseName), expect: words(s, "expect", parseServerAddr),
	}
}

// parseServerAddr takes an IPv4 address, or an IPv6 one, also a link-local one: DHCPv6 servers answer from it.
func parseServerAddr(v *value) (netip.Addr, *fault) {
	if a, err := netip.ParseAddr(v.text); err == nil && a.Is6() && !a.Is4In6() && a.Zone() == "" {
		if a.IsLinkLocalUnicast() {
			return a, nil
		}
		return a, usable6(a)
	}
	return parseAddr(v)
}

// patience is the wait for offers, by default never more than half of the period.
func (f *fileDiscover) patience() time.Duration {
	every := f.every.or(DefaultDiscoverEvery)
	if every == 0 {
		every = DefaultDiscoverEvery
	}
	return f.wait.or(min(DefaultDiscoverWait, every/2))
}

// checkDiscover looks for times that do not go together, and names of networks that are none.
func (d *decoder) checkDiscover(f *file) {
	w := &f.watch.discover
	if e := w.every; e != nil && e.v != 0 && e.v < leastDiscoverEvery {
		d.report(e.at, faultf("%s is more often than every %s", durationText(e.v), durationText(leastDiscoverEvery)).write("every: "+durationText(DefaultDiscoverEvery)))
	}
	every := w.every.or(DefaultDiscoverEvery)
	switch {
	case w.wait == nil:
	case w.wait.v < leastDiscoverWait:
		d.report(w.wait.at, faultf("%s is shorter than %s", durationText(w.wait.v), durationText(leastDiscoverWait)).write("wait: "+durationText(DefaultDiscoverWait)))
	case every >= leastDiscoverEvery && w.wait.v > every/2:
		d.report(w.wait.at, faultf("DISCOVERs are sent every %s, and their offers waited for %s", durationText(every), durationText(w.wait.v)).do("wait for half of the period at the most: silence is looked at twice"))
	}
	if !f.networksKnown {
		return
	}
	var names []string
	for _, n := range f.networks {
		names = append(names, n.name)
	}
	for _, p := range w.networks {
		if !slices.Contains(names, p.v) {
			d.report(p.at, faultf("there is no network %s", quote(p.v)).do("%s", didYouMean(p.v, names)))
		}
	}
}

// resolveDiscover fills in what is not written. Without a word of it, it is done on the interfaces that
// somebody named for broadcast services; where the monitor is switched off, it is, too.
func (f *file) resolveDiscover(c *Config) Discover {
	w := &f.watch.discover
	out := Discover{
		Every: w.every.or(DefaultDiscoverEvery), Wait: w.patience(),
		Networks: plainList(w.networks), Expect: plainList(w.expect),
	}
	if len(c.Node.Interfaces) == 0 || w.every == nil && !f.watch.enabled.or(true) {
		out.Every = 0
	}
	return out
}

// writeDiscover writes the section.
func (c *Config) writeDiscover(line func(string, ...any)) {
	w := c.Watch.Discover
	f := []string{"every: " + durationText(w.Every), "wait: " + durationText(w.Wait)}
	if len(w.Networks) > 0 {
		f = append(f, "networks: "+flow(w.Networks))
	}
	if len(w.Expect) > 0 {
		var list []string
		for _, a := range w.Expect {
			if a.Is6() {
				list = append(list, quoted(a.String()))
				continue
			}
			list = append(list, a.String())
		}
		f = append(f, fmt.Sprintf("expect: [%s]", strings.Join(list, ", ")))
	}
	line("  discover: {%s}", strings.Join(f, ", "))
}

func discoverKey() Key {
	return Key{
		Name: "discover", Form: FormObject, Default: "(every 2m, on the interfaces that the node names)",
		Example: "discover: {every: 2m, expect: [10.10.0.5]}",
		Doc: "DISCOVERs that the node sends on its interfaces, and SOLICITs where a network has a section dhcp6, to find out whether somebody offers addresses there, and who says what to boot. " +
			"It takes no address. docs/watch.md tells how; the alerts nobody-answers, deaf and rogue-pxe come of it.",
		Keys: []Key{
			{
				Name: "every", Scalar: scalarDuration, Default: "2m (0s where watch has enabled: false, or the node names no interface)", Example: "every: 2m",
				Doc: "The time from one probe to the next; half of that while a probe does not agree with what the segment counts as. Not below 2s. 0s sends none.",
			},
			{
				Name: "wait", Scalar: scalarDuration, Default: "5s (half of every, if that is less)", Example: "wait: 5s",
				Doc: "How long offers are waited for. Some DHCP servers look for 3 s whether an address is free before they offer it.",
			},
			{
				Name: "networks", Form: FormWords, Scalar: scalarName, Default: "(all that this node has an interface in, but those with deliver: none)", Example: "networks: [vdi]",
				Doc: "The networks that are asked, where a node has interfaces in others as well: without a DHCP server on purpose, say.",
			},
			{
				Name: "expect", Form: FormWords, Scalar: scalarText, Default: "(the nodes and servers of this file)", Example: "expect: [10.10.0.5]",
				Doc: "Further servers that are to answer: the DHCP server. Who says what to boot and is neither here nor a node or server of the file is a stranger. A DHCPv6 server is named by its link-local address, or by the address in the URLs that it says, in quotes.",
			},
		},
	}
}
