package watch

import (
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
)

// Report is everything that the monitor of a node knows, for people and their programs. Fields are
// only ever added.
type Report struct {
	Node     string           `json:"node"`
	Time     time.Time        `json:"time"`
	Servers  []ServerReport   `json:"servers"`
	Tests    []TestReport     `json:"tests"`
	Watched  int              `json:"watched"`            // how many tests there are, asked for or not
	Segments []SegmentReport  `json:"segments,omitempty"` // who answers DISCOVERs
	Findings []health.Finding `json:"findings,omitempty"`
	Out      []health.Out     `json:"out,omitempty"` // who is not named for which file
}

// States of a server as a whole, besides those of health.
const (
	Drained health.Status = "drained"
	Partly  health.Status = "partly" // down for some of its files, or by one of its protocols
)

// ServerReport tells of one server.
type ServerReport struct {
	Name         string        `json:"name"`
	Address      string        `json:"address"`
	Node         bool          `json:"node,omitempty"` // runs Surefoot
	Self         bool          `json:"self,omitempty"` // this one
	State        health.Status `json:"state"`          // up, down, partly, unknown, or drained
	Health       health.Status `json:"health"`         // the same without drains
	Since        time.Time     `json:"since,omitzero"`
	Availability *float64      `json:"availability,omitempty"` // percent of the runs remembered; absent: none
	Response     time.Duration `json:"response_ns,omitempty"`  // the longest of its tests' last; absent: none is available
	Weight       int           `json:"weight"`
	Cause        string        `json:"cause,omitempty"` // why it is not up
	Drain        *health.Drain `json:"drain,omitempty"`
}

// TestReport tells of one test.
type TestReport struct {
	Name         string        `json:"name"`
	Server       string        `json:"server,omitempty"` // absent: it steers no answers
	File         string        `json:"file,omitempty"`
	Target       string        `json:"target"`
	As           string        `json:"as"`
	Every        time.Duration `json:"every_ns"`
	Timeout      time.Duration `json:"timeout_ns"`
	State        health.Status `json:"state"`
	Since        time.Time     `json:"since,omitzero"`
	Reason       boot.Reason   `json:"reason,omitempty"`
	Text         string        `json:"text,omitempty"`
	HeldUntil    time.Time     `json:"held_until,omitzero"`
	Weight       int           `json:"weight"`
	Availability *float64      `json:"availability,omitempty"` // percent of the runs remembered
	Runs         int64         `json:"runs"`
	BadRuns      int64         `json:"bad_runs"`
	Last         *Result       `json:"last,omitempty"`
	Next         time.Time     `json:"next,omitzero"`
	Samples      []Sample      `json:"samples,omitempty"` // the oldest first
	Good         *Diagnosed    `json:"diagnosis_good,omitempty"`
	Bad          *Diagnosed    `json:"diagnosis_bad,omitempty"`
}

// Query chooses what a Report holds.
type Query struct {
	Server    string // only the tests of this one
	Test      string // only this one; NoTest for none
	Samples   int    // of each test, at the most; 0: none
	Diagnoses bool
}

// NoTest asks for no test: none is called so.
const NoTest = "-"

// Report says what is known. Servers are there all, whatever tests are asked for.
func (w *Watcher) Report(q Query) Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.deps.Now()
	snap := w.snap.Load()
	out := Report{Node: w.cfg.Node, Time: now, Watched: len(w.order), Tests: []TestReport{}, Findings: snap.Findings(), Out: snap.Out()}
	for _, e := range w.order {
		if (q.Server == "" || e.test.Server == q.Server) && (q.Test == "" || e.test.Name == q.Test) {
			out.Tests = append(out.Tests, e.report(q, now, w.cfg.Health))
		}
	}
	out.Servers = w.servers(now)
	if w.deps.Segments != nil {
		out.Segments = w.deps.Segments(q)
	}
	return out
}

// Servers tells of every server.
func (w *Watcher) Servers() []ServerReport {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.servers(w.deps.Now())
}

// servers tells of every server, in order. The caller holds the lock.
func (w *Watcher) servers(now time.Time) []ServerReport {
	snap := w.snap.Load()
	of := map[string][]*entry{}
	for _, e := range w.order {
		if e.test.Steers() {
			of[e.test.Server] = append(of[e.test.Server], e)
		}
	}
	out := []ServerReport{}
	for _, name := range w.serverNames() {
		s := w.cfg.Servers[name]
		r := ServerReport{Name: name, Address: s.Addr().String(), Node: s.Node, Self: name == w.cfg.Node}
		r.fill(of[name], now, w.cfg.Health)
		if d, ok := snap.Drained(name); ok {
			r.State, r.Since, r.Drain, r.Weight = Drained, d.Since, &d, 0
		}
		out = append(out, r)
	}
	return out
}

// fill makes up what a server is from its tests.
func (r *ServerReport) fill(tests []*entry, now time.Time, set health.Settings) {
	counts := map[health.Status]int{}
	runs, good := 0, 0
	r.Weight = 100
	var worst *entry
	for _, e := range tests {
		counts[e.state.Is()]++
		runs, good = runs+len(e.ring.buf), good+e.ring.good
		r.Weight = min(r.Weight, e.state.Weight(now, set))
		if e.last != nil {
			r.Response = max(r.Response, e.last.Response)
		}
		if e.state.Since.After(r.Since) {
			r.Since = e.state.Since
		}
		if worst == nil || trouble(e) > trouble(worst) {
			worst = e
		}
	}
	switch {
	case counts[health.Down] > 0 && counts[health.Down] == len(tests):
		r.Health = health.Down
	case counts[health.Down] > 0:
		r.Health = Partly
	case counts[health.Up] > 0:
		r.Health = health.Up
	default:
		r.Health = health.Unknown
	}
	r.State = r.Health
	if runs > 0 {
		r.Availability = percent(good, runs)
	}
	if worst != nil && trouble(worst) > 0 {
		r.Since = worst.state.Since
		r.Cause = worst.cause()
	}
}

// trouble orders tests by how bad they are.
func trouble(e *entry) int {
	switch {
	case e.state.Is() == health.Down:
		return 2
	case e.last != nil && !e.last.Good():
		return 1
	}
	return 0
}

// cause is why a test is not good, in words.
func (e *entry) cause() string {
	switch {
	case e.last != nil && e.last.Cause != "":
		return e.last.Cause
	case e.state.Is() == health.Down:
		return e.state.Text
	}
	return ""
}

func percent(good, runs int) *float64 {
	p := 100 * float64(good) / float64(runs)
	return &p
}

func (e *entry) report(q Query, now time.Time, set health.Settings) TestReport {
	r := TestReport{
		Name: e.test.Name, Server: e.test.Server, File: e.test.File, Target: e.test.Target.String(), As: string(e.test.As),
		Every: e.test.Every, Timeout: e.test.Timeout, State: e.state.Is(), Since: e.state.Since, Reason: e.state.Reason,
		Text: e.state.Text, HeldUntil: e.state.Held, Weight: e.state.Weight(now, set), Runs: e.goodRuns + e.badRuns, BadRuns: e.badRuns,
		Last: e.last, Next: e.at, Samples: e.ring.last(q.Samples),
	}
	if len(e.ring.buf) > 0 {
		r.Availability = percent(e.ring.good, len(e.ring.buf))
	}
	if q.Diagnoses {
		r.Good, r.Bad = e.good, e.bad
	}
	return r
}
