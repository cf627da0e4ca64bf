package config

import (
	"slices"
	"strings"

	"surefoot/internal/boot"
)

// maxCompared bounds the lists of conditions that are compared with one another.
const maxCompared = 16

// checkShadows reports rules that no client can reach, since an earlier rule takes every client
// that the later is for. A rule that a reservation names is reached by that.
func (d *decoder) checkShadows(f *file) {
	reserved := map[string]bool{}
	for _, n := range f.networks {
		for _, r := range n.reservations {
			if r.boot != nil {
				reserved[r.boot.v] = true
			}
		}
	}
	rules := make([]boot.Rule, len(f.rules))
	for i := range f.rules {
		rules[i] = f.rules[i].rule()
	}
	for i := range f.rules {
		if d.full() || f.rules[i].name == nil || reserved[rules[i].Name] {
			continue
		}
		for j := range i {
			if f.rules[j].name == nil || f.rules[j].bad || f.rules[i].bad || rules[j].Name == rules[i].Name || !covers(rules[j], rules[i]) {
				continue
			}
			message := "rule %s is never reached: %s, in line %d, takes every machine that it is for"
			if f.rules[j].when.none() {
				message = "rule %s is never reached: %s, in line %d, has no condition and takes every machine"
			}
			d.report(f.rules[i].name.at, faultf(message, rules[i].Name, rules[j].Name, f.rules[j].line).do("put it before %s, or give %s a condition that leaves these machines out", rules[j].Name, rules[j].Name))
			break
		}
	}
}

func (m fileMatch) none() bool {
	return len(m.arch)+len(m.firmware)+len(m.mac)+len(m.network)+len(m.userClass)+len(m.vendorClass) == 0
}

// covers reports whether every client that b is for is taken by a, which stands before it.
func covers(a, b boot.Rule) bool {
	if handsIPXE(a) && (len(b.When.Firmware) == 0 || slices.Contains(b.When.Firmware, boot.FirmwareIPXE)) {
		return false // a rule that hands out iPXE passes over clients that are iPXE already
	}
	return coversList(a.When.Arch, b.When.Arch, equal) &&
		coversList(a.When.Firmware, b.When.Firmware, equal) &&
		coversList(a.When.Network, b.When.Network, equal) &&
		coversList(a.When.UserClass, b.When.UserClass, equal) &&
		coversList(a.When.MAC, b.When.MAC, begins) &&
		coversList(a.When.VendorClass, b.When.VendorClass, begins)
}

// handsIPXE asks the decision itself whether a rule passes over iPXE.
func handsIPXE(r boot.Rule) bool {
	r.When = boot.Match{}
	s := boot.Site{Rules: []boot.Rule{r}, Networks: []boot.Network{{Name: defaultNetwork, Deliver: boot.DeliverProxy}}}
	return boot.Decide(boot.Client{Firmware: boot.FirmwareIPXE}, &s, nil).Reason == boot.NoRule
}

func equal[T comparable](a, b T) bool { return a == b }

func begins(prefix, s string) bool { return strings.HasPrefix(s, prefix) }

// coversList reports whether each value of b is covered by one of a; an empty list stands for
// every value. Long lists count as not covered.
func coversList[T any](a, b []T, covered func(T, T) bool) bool {
	if len(a) == 0 {
		return true
	}
	if len(b) == 0 || len(a) > maxCompared || len(b) > maxCompared {
		return false
	}
	for _, y := range b {
		if !slices.ContainsFunc(a, func(x T) bool { return covered(x, y) }) {
			return false
		}
	}
	return true
}
