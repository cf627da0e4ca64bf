package alert

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Offer is somebody's answer to the DISCOVERs of a probe.
type Offer struct {
	From    string // the address of who sent it
	Server  string // option 54
	MAC     string // of the frame: a relay's, where there is one
	Text    string // what is offered, in words
	File    string
	Address bool // it offers an address
	PXE     bool // it says what to boot
	Known   bool // the site file knows who sent it
}

// Discover is what became of the DISCOVERs that a probe sent on one segment.
type Discover struct {
	Network   string
	Interface string // of this node
	Offers    []Offer
	Six       bool // by DHCPv6: SOLICITs
	Unsure    bool // that nobody offers an address says nothing here
	// Lost are the flags of the DISCOVER whose answers do not arrive, while those to the other form do.
	Lost  string
	Text  string   // what was seen, in words
	Hints []string // what to look at
}

func (d *Discover) labels(more ...string) []string {
	return append([]string{"network", d.Network, "interface", d.Interface}, more...)
}

// asked is what was sent.
func (d *Discover) asked() string {
	if d.Six {
		return "SOLICITs (DHCPv6)"
	}
	return "DISCOVERs"
}

// where names the segment.
func (d *Discover) where() string {
	s := "network " + orWord(d.Network, "(unnamed)")
	if d.Interface != "" {
		s += " (" + d.Interface + ")"
	}
	return s
}

// inRow counts what was seen in a row on one segment.
type inRow struct {
	silent, deaf int
	lost         string
	since        time.Time
	absent       map[string]int // looks in a row in which a stranger was not seen, by key of its alert
}

// absences is how many looks in a row must not see a stranger until it counts as gone: one packet may
// be lost.
const absences = 2

// Discovered takes what DISCOVERs were answered with.
func (m *Machine) Discovered(now time.Time, d Discover) {
	at := d.Network + "\x00" + d.Interface
	r := m.segments[at]
	if r == nil {
		r = &inRow{absent: map[string]int{}}
		m.segments[at] = r
	}
	m.nobody(now, d, r)
	m.deaf(now, d, r)
	m.strangers(now, d, r)
}

// nobody looks whether somebody offers an address. Who says what to boot and offers none does not
// count: firmware throws such an offer away where no address comes (F2).
func (m *Machine) nobody(now time.Time, d Discover, r *inRow) {
	if d.Unsure || slices.ContainsFunc(d.Offers, func(o Offer) bool { return o.Address }) {
		r.silent = 0
		m.clear(now, NobodyAnswers, d.labels()...)
		return
	}
	if r.silent++; r.silent == 1 {
		r.since = now
	}
	if r.silent < m.rules.NobodyProbes {
		return
	}
	evidence := []string{fmt.Sprintf("%d probes in a row without an offer of an address, since %s", r.silent, r.since.Format(time.RFC3339))}
	for _, o := range d.Offers {
		evidence = append(evidence, fmt.Sprintf("%s answers, and offers %s", orWord(o.Server, o.From), orWord(o.Text, "no address")))
	}
	m.find(now, finding{
		code: NobodyAnswers, severity: Critical, labels: d.labels(),
		title: "nobody answers " + d.asked() + " on " + d.where(), evidence: evidence,
		meaning: "machines there get no address, and do not even ask for a bootstrap",
		fix:     orWord(strings.Join(d.Hints, "; "), "look at the DHCP server, its pool (is it exhausted?), and the relay of that network"),
	})
}

// deaf looks whether answers to one form of DISCOVER get lost.
func (m *Machine) deaf(now time.Time, d Discover, r *inRow) {
	if d.Lost == "" || d.Lost != r.lost {
		r.deaf = 0
		m.clear(now, DeafTo, d.labels("lost_flags", r.lost)...)
	}
	if r.lost = d.Lost; d.Lost == "" {
		return
	}
	if r.deaf++; r.deaf < m.rules.NobodyProbes {
		return
	}
	f := finding{
		code: DeafTo, severity: Critical, labels: d.labels("lost_flags", d.Lost),
		title:    fmt.Sprintf("answers to DISCOVERs with flags %s do not arrive on %s", d.Lost, d.where()),
		evidence: []string{d.Text, fmt.Sprintf("%d probes in a row", r.deaf)},
		meaning:  "one kind of machine gets its address there and another kind never does, from the same server",
		fix:      "compare a capture at the server with one at this node: which answer is sent and does not come",
	}
	if len(d.Hints) > 0 {
		f.meaning, f.fix = d.Hints[0], orWord(strings.Join(d.Hints[1:], "; "), f.fix)
	}
	m.find(now, f)
}

// strangers looks who says what to boot, and is not known.
func (m *Machine) strangers(now time.Time, d Discover, r *inRow) {
	seen := map[string]bool{}
	for _, o := range d.Offers {
		if !o.PXE || o.Known {
			continue
		}
		said := orWord(o.Text, fmt.Sprintf("the file %q", o.File))
		evidence := []string{fmt.Sprintf("%s offers %s", o.From, said)}
		if o.Server != "" && o.Server != o.From {
			evidence = append(evidence, fmt.Sprintf("it calls itself %s (option 54), so %s is a relay", o.Server, o.From))
		}
		fix := "find its port by its MAC address (the switch's table) and switch it off; if it is yours, name it in watch.discover.expect of the site file"
		title := fmt.Sprintf("a stranger says what to boot on %s: %s", d.where(), o.From)
		if o.MAC != "" {
			title += ", MAC " + o.MAC
		}
		h := m.find(now, finding{
			code: RogueService, severity: Critical, labels: d.labels("from", o.From, "mac", o.MAC),
			title: title, evidence: evidence, meaning: "machines that meet it first boot what it says", fix: fix,
		})
		seen[h.Key] = true
		delete(r.absent, h.Key)
	}
	for key, h := range m.alerts {
		if h.Code != RogueService || h.Labels["network"] != d.Network || h.Labels["interface"] != d.Interface || seen[key] || !h.is {
			continue
		}
		if r.absent[key]++; r.absent[key] >= absences {
			h.is, h.over = false, now
			delete(r.absent, key)
		}
	}
}

// ForgetSegments removes what is known of segments that are not asked any more: on gone interfaces, or
// of networks that gone interfaces were in.
func (m *Machine) ForgetSegments(now time.Time, gone func(network, iface string) bool) {
	for at := range m.segments {
		if network, iface, _ := strings.Cut(at, "\x00"); gone(network, iface) {
			delete(m.segments, at)
		}
	}
	for _, h := range m.alerts {
		switch h.Code {
		case NobodyAnswers, DeafTo, RogueService:
			if h.is && gone(h.Labels["network"], h.Labels["interface"]) {
				h.is, h.over = false, now
			}
		}
	}
}
