package alert

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"surefoot/internal/store"
)

// Machine holds what the rules know and the alerts that are. It is one goroutine's, or behind a
// lock of its owner.
type Machine struct {
	rules    Rules
	alerts   map[string]*held
	silences []store.Silence

	tests   map[string]map[subject]*test // by file: a change looks at its own file's alone, of ten thousand
	servers map[string]map[server]*standing
	flaps   map[server][]store.Change
	boots   []told

	segments map[string]*inRow // by network and interface
}

// held is an alert with what is kept beside it.
type held struct {
	Alert
	after  time.Duration // until it fires
	is     bool          // still true
	over   time.Time     // when it stopped being true
	told   time.Time     // when somebody was told last; zero: nobody was
	lapses time.Time     // when it ends by itself; zero: when it is cleared
}

// server is one that hands out one file by one protocol.
type server struct{ name, file, by string }

// labels are those of an alert about it: the protocol is one where it is not the usual one.
func (s server) labels() []string {
	by := s.by
	if by == usual {
		by = ""
	}
	return []string{"server", s.name, "file", s.file, "by", by}
}

// usual is the protocol that alerts do not name: TFTP.
const usual = "tftp"

// word names the protocol in a title.
func (s server) word() string {
	if s.by == "" {
		return ""
	}
	return " by " + strings.ToUpper(s.by)
}

// subject is one test.
type subject struct{ test, server, file string }

// New makes a machine. It knows nothing yet.
func New(r Rules) *Machine {
	return &Machine{
		rules: r.WithDefaults(), alerts: map[string]*held{}, tests: map[string]map[subject]*test{}, servers: map[string]map[server]*standing{},
		flaps: map[server][]store.Change{}, segments: map[string]*inRow{},
	}
}

// SetRules exchanges the thresholds; what is pending or firing goes on.
func (m *Machine) SetRules(r Rules) { m.rules = r.WithDefaults() }

// SetSilences exchanges the silences.
func (m *Machine) SetSilences(list []store.Silence) { m.silences = slices.Clone(list) }

// find notes that a finding is true now, with fresh evidence.
func (m *Machine) find(now time.Time, f finding) *held {
	key, labels := f.key()
	h := m.alerts[key]
	if h == nil {
		h = &held{Alert: Alert{Key: key, Code: f.code, State: Pending, Labels: labels, Since: now}}
		m.alerts[key] = h
	}
	h.is, h.over, h.after = true, time.Time{}, f.after
	h.Severity, h.Title, h.Evidence, h.Meaning, h.Fix = f.severity, f.title, f.evidence, f.meaning, f.fix
	return h
}

// clear notes that a finding is true no more.
func (m *Machine) clear(now time.Time, code Code, labels ...string) {
	if len(m.alerts) == 0 {
		return // after every good download: mostly there is nothing, and the key is work
	}
	key, _ := (&finding{code: code, labels: labels}).key()
	if h := m.alerts[key]; h != nil && h.is {
		h.is, h.over = false, now
	}
}

// Tick lets time pass, and returns what is to be told now, in the order of keys.
func (m *Machine) Tick(now time.Time) []Note {
	m.age(now)
	var out []Note
	for key, h := range m.alerts {
		if !h.lapses.IsZero() && h.is && !now.Before(h.lapses) {
			h.is, h.over = false, now.Add(-m.rules.ResolveAfter)
		}
		h.Silence = m.silenced(h.Labels, now)
		switch {
		case h.State == Pending && !h.is:
			delete(m.alerts, key) // it was never told
		case h.State == Pending && now.Sub(h.Since) >= h.after:
			h.State, h.FiredAt = Firing, now
		case h.State == Firing && !h.is && now.Sub(h.over) >= m.rules.ResolveAfter:
			h.State, h.EndedAt = Resolved, now
		}
		quiet := h.Silence != ""
		switch {
		case h.State == Resolved:
			delete(m.alerts, key)
			if !h.told.IsZero() { // an end is told to who was told the beginning, silence or not
				out = append(out, Note{Alert: h.Alert})
			}
		case h.State == Firing && !quiet && (h.told.IsZero() || now.Sub(h.told) >= m.rules.Repeat):
			out = append(out, Note{Alert: h.Alert, Repeated: !h.told.IsZero()})
			h.told = now
		}
	}
	slices.SortFunc(out, func(a, b Note) int { return cmp.Compare(a.Alert.Key, b.Alert.Key) })
	return out
}

// silenced returns the silence that is meant for these labels, "" if none is.
func (m *Machine) silenced(labels map[string]string, now time.Time) string {
	for _, s := range m.silences {
		if Matches(s, labels, now) {
			return s.ID
		}
	}
	return ""
}

// Alerts returns all that are pending or firing, the gravest first.
func (m *Machine) Alerts() []Alert {
	out := []Alert{}
	for _, h := range m.alerts {
		a := h.Alert
		a.Evidence = slices.Clone(a.Evidence)
		out = append(out, a)
	}
	rank := map[Severity]int{Critical: 0, Warning: 1, Info: 2}
	slices.SortFunc(out, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(rank[a.Severity], rank[b.Severity]), cmp.Compare(a.Key, b.Key))
	})
	return out
}
