package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
)

// Key is what a machine is about.
type Key struct {
	Server, File string
	By           boot.Protocol
}

// Group is a choice that some machine to be booted has: a file of a rule, and who may hand it out by a
// protocol.
type Group struct {
	Rule    string
	File    string
	By      boot.Protocol
	Servers []string
}

// Input is what a Snapshot is made of.
type Input struct {
	Time     time.Time
	Settings Settings
	States   map[Key]State
	Drains   []Drain
	Groups   []Group
	// Lacks tells of a server that cannot hand a file out whatever its downloads show: what a node
	// knows of its own files. Nil: nothing is known.
	Lacks func(server, file string) bool
}

// Snapshot is what is known at one time, for everybody who answers. It never changes; the next one
// takes its place. A nil Snapshot knows nothing, and every server counts as up.
type Snapshot struct {
	time     time.Time
	settings Settings
	out      map[Key]Entry // who is not to be named
	states   map[Key]State // those that are not simply up: for weights
	drained  map[string]Drain
	groups   []Group
	yields   map[Key]bool // a drain does not count here, since it would leave nobody
	findings []Finding
}

// Entry says why a server is not named for a file, and since when.
type Entry struct {
	Since  time.Time   `json:"since"`
	Reason boot.Reason `json:"reason"`
	Text   string      `json:"text"`
}

// Finding is what somebody should look at.
type Finding struct {
	Reason  boot.Reason     `json:"reason"` // AllServersDown, or DrainYields
	Rules   []string        `json:"rules"`
	File    string          `json:"file"`
	By      []boot.Protocol `json:"by,omitempty"`
	Servers []string        `json:"servers"`
	Text    string          `json:"text"`
}

// Build makes the Snapshot.
func Build(in Input) *Snapshot {
	s := &Snapshot{
		time: in.Time, settings: in.Settings.WithDefaults(), groups: in.Groups,
		out: map[Key]Entry{}, states: map[Key]State{}, drained: map[string]Drain{}, yields: map[Key]bool{},
	}
	for k, st := range in.States {
		if st.Is() == Down {
			s.out[k] = Entry{Since: st.Since, Reason: st.Reason, Text: st.Text}
		}
		if st.Is() == Down || st.Weight(in.Time, s.settings) < 100 {
			s.states[k] = st
		}
	}
	for _, d := range in.Drains {
		if d.Active(in.Time) {
			s.drained[d.Server] = d
		}
	}
	for _, g := range in.Groups {
		s.judge(g, in.Lacks)
	}
	return s
}

// judge looks at one choice. Where drains would leave nobody alive, they do not count: they are to
// spare a server, not to stop a site. Where nobody is alive, all are named (boot.Decide does that).
func (s *Snapshot) judge(g Group, lacks func(server, file string) bool) {
	alive := 0
	var drained []string
	for _, name := range g.Servers {
		k := Key{name, g.File, g.By}
		if lacks != nil && lacks(name, g.File) {
			if _, known := s.out[k]; !known {
				s.out[k] = Entry{Since: s.time, Reason: boot.FileMissing, Text: "this node does not have the file"}
			}
		}
		if _, out := s.out[k]; out {
			continue
		}
		alive++
		if _, is := s.drained[name]; is {
			drained = append(drained, name)
		}
	}
	switch {
	case len(g.Servers) == 0 || alive > len(drained):
	case alive == 0:
		s.find(boot.AllServersDown, g, g.Servers, "every server of %s looks dead by %s: all are named, since a monitor's mistake must not stop a site")
	default:
		for _, name := range drained {
			s.yields[Key{name, g.File, g.By}] = true
		}
		s.find(boot.DrainYields, g, drained, "nobody else is alive to hand out %s by %s: drained or not, machines are still sent there")
	}
}

// find keeps a finding, once for all rules and protocols with the same file and servers.
func (s *Snapshot) find(r boot.Reason, g Group, servers []string, format string) {
	for i, f := range s.findings {
		if f.Reason == r && f.File == g.File && slices.Equal(f.Servers, servers) {
			if !slices.Contains(f.Rules, g.Rule) {
				s.findings[i].Rules = append(s.findings[i].Rules, g.Rule)
			}
			if !slices.Contains(f.By, g.By) {
				s.findings[i].By = append(s.findings[i].By, g.By)
				s.findings[i].say(format)
			}
			return
		}
	}
	f := Finding{Reason: r, Rules: []string{g.Rule}, File: g.File, By: []boot.Protocol{g.By}, Servers: slices.Clone(servers)}
	f.say(format)
	s.findings = append(s.findings, f)
}

func (f *Finding) say(format string) {
	var by []string
	for _, p := range f.By {
		by = append(by, p.String())
	}
	f.Text = fmt.Sprintf(format, f.File, strings.Join(by, " and ")) + " (" + strings.Join(f.Servers, ", ") + ")"
}

// Down reports whether a server is not to be named for a file. It has the shape of boot.Down.
func (s *Snapshot) Down(server, file string, by boot.Protocol) bool {
	_, out := s.Why(server, file, by)
	return out
}

// Why is Down with the reason.
func (s *Snapshot) Why(server, file string, by boot.Protocol) (Entry, bool) {
	if s == nil {
		return Entry{}, false
	}
	k := Key{server, file, by}
	if e, out := s.out[k]; out {
		return e, true
	}
	d, is := s.drained[server]
	if !is || s.yields[k] {
		return Entry{}, false
	}
	text := "an administrator drained it"
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	return Entry{Since: d.Since, Reason: boot.ServerDrained, Text: text}, true
}

// Out is a server that is not named for a file where it would be asked for it by a protocol.
type Out struct {
	Server string        `json:"server"`
	File   string        `json:"file"`
	By     boot.Protocol `json:"by"`
	Entry
}

// Out lists who is not named for which file, in the order of the rules.
func (s *Snapshot) Out() []Out {
	if s == nil {
		return nil
	}
	var out []Out
	seen := map[Key]bool{}
	for _, g := range s.groups {
		for _, name := range g.Servers {
			k := Key{name, g.File, g.By}
			if e, is := s.Why(name, g.File, g.By); is && !seen[k] {
				seen[k] = true
				out = append(out, Out{name, g.File, g.By, e})
			}
		}
	}
	return out
}

// Weight says how much of its share a server should get, from 0 to 100. Whoever only needs an
// order may ignore it.
func (s *Snapshot) Weight(server, file string, by boot.Protocol, now time.Time) int {
	if s.Down(server, file, by) {
		return 0
	}
	if s == nil {
		return 100
	}
	if st, ok := s.states[Key{server, file, by}]; ok {
		return st.Weight(now, s.settings)
	}
	return 100
}

// Drained returns the drain of a server that holds, if there is one.
func (s *Snapshot) Drained(server string) (Drain, bool) {
	if s == nil {
		return Drain{}, false
	}
	d, ok := s.drained[server]
	return d, ok
}

// Findings returns what somebody should look at, in the order of the rules.
func (s *Snapshot) Findings() []Finding {
	if s == nil {
		return nil
	}
	return slices.Clone(s.findings)
}

// AllDown returns the findings of files that nobody hands out: answers name every server.
func (s *Snapshot) AllDown() []Finding {
	var out []Finding
	for _, f := range s.Findings() {
		if f.Reason == boot.AllServersDown {
			out = append(out, f)
		}
	}
	return out
}

// Time says as of when the snapshot is.
func (s *Snapshot) Time() time.Time {
	if s == nil {
		return time.Time{}
	}
	return s.time
}
