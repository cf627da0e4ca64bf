package alert

import (
	"fmt"
	"slices"
	"time"
)

// Boot is a boot attempt that came to an end.
type Boot struct {
	Machine string
	Failed  bool
	Reason  string
	Where   string // one sentence
}

type told struct {
	Boot
	at time.Time
}

// maxBoots bounds what is remembered of boots: the share of the last so many says enough.
const maxBoots = 10_000

// Booted takes the end of a boot attempt. Of one machine the last end counts. Tick looks at the share.
func (m *Machine) Booted(now time.Time, b Boot) {
	m.boots = slices.DeleteFunc(m.boots, func(t told) bool { return t.Machine == b.Machine })
	if len(m.boots) == maxBoots {
		m.boots = slices.Delete(m.boots, 0, 1)
	}
	m.boots = append(m.boots, told{b, now})
}

// share looks how many of the last boots failed.
func (m *Machine) share(now time.Time) {
	m.boots = slices.DeleteFunc(m.boots, func(t told) bool { return now.Sub(t.at) > m.rules.StoriesWithin })
	failed := 0
	reasons := map[string]int{}
	var lines []string
	for _, t := range slices.Backward(m.boots) {
		if !t.Failed {
			continue
		}
		failed++
		reasons[orWord(t.Reason, "no reason seen")]++
		if len(lines) < 5 {
			lines = append(lines, t.Machine+": "+t.Where)
		}
	}
	n := len(m.boots)
	if failed < m.rules.StoriesLeast || n == 0 || failed*100 < m.rules.StoriesShare*n {
		m.clear(now, BootsFail)
		return
	}
	var by []string
	for r, k := range reasons {
		by = append(by, fmt.Sprintf("%d × %s", k, r))
	}
	slices.Sort(by)
	m.find(now, finding{
		code: BootsFail, severity: Critical,
		title:    fmt.Sprintf("%d of %d machines did not boot within %s", failed, n, round(m.rules.StoriesWithin)),
		evidence: append([]string{fmt.Sprintf("%d%% fail: %v", failed*100/n, by)}, lines...),
		meaning:  "boots do not come to their end, whatever the servers say of themselves",
		fix:      "surefoot story shows where each machine is stuck, and what that usually means",
	})
}

// forgetAfter is how long a test that is not run any more is remembered.
const forgetAfter = 24 * time.Hour

// age lets go of what is too old to count.
func (m *Machine) age(now time.Time) {
	if len(m.boots) > 0 {
		m.share(now)
	}
	for s := range m.flaps {
		m.flap(now, s)
	}
	m.dropTests(now, func(_ subject, t *test) bool { return !t.seen.IsZero() && now.Sub(t.seen) > forgetAfter })
}

// Forget removes what is known of servers and tests that the site file names no more.
func (m *Machine) Forget(now time.Time, gone func(server, file string) bool) {
	for file, servers := range m.servers {
		for s := range servers {
			if gone(s.name, s.file) {
				delete(servers, s)
				delete(m.flaps, s)
				m.clear(now, ServerDown, s.labels()...)
				m.clear(now, Flapping, s.labels()...)
			}
		}
		if len(servers) == 0 {
			delete(m.servers, file)
		}
	}
	m.dropTests(now, func(s subject, _ *test) bool { return gone(s.server, s.file) })
}

// dropTests forgets tests.
func (m *Machine) dropTests(now time.Time, drop func(subject, *test) bool) {
	for file, tests := range m.tests {
		for s, t := range tests {
			if drop(s, t) {
				delete(tests, s)
				m.clear(now, Slow, "test", s.test, "server", s.server, "file", s.file)
				m.compare(now, s.file)
			}
		}
		if len(tests) == 0 {
			delete(m.tests, file)
		}
	}
}
