package alert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"surefoot/internal/store"
)

// recent is how many response times are compared with the baseline: one slow run is no alert.
const recent = 5

// test is what is known of one test.
type test struct {
	baseline
	last    []time.Duration // response times of the last good runs
	limit   time.Duration   // above it a median is slow; 0: not enough is known
	mid     time.Duration
	mad     time.Duration
	content string // SHA-256 of the last good run
	before  string // the same of the process before this one, until this one has seen any
	seen    time.Time
}

// Prime tells a test's five-minute medians of the last day, the oldest first, as the history has them.
func (m *Machine) Prime(name, srv, file string, medians []time.Duration) {
	t := m.test(subject{name, srv, file})
	for _, d := range medians {
		t.learn(d)
	}
	m.relevel(t)
}

func (m *Machine) test(s subject) *test {
	t := m.tests[s.file][s]
	if t == nil {
		t = &test{}
		if m.tests[s.file] == nil {
			m.tests[s.file] = map[subject]*test{}
		}
		m.tests[s.file][s] = t
	}
	return t
}

// relevel works out from where on a median is slow.
func (m *Machine) relevel(t *test) {
	t.limit = 0
	if len(t.medians) < m.rules.SlowSamples {
		return
	}
	t.mid, t.mad = t.level()
	t.limit = max(t.mid+time.Duration(m.rules.SlowDeviations)*t.mad, t.mid+t.mid*time.Duration(m.rules.SlowPercent)/100, t.mid+5*time.Millisecond)
}

// Measured takes the result of one run.
func (m *Machine) Measured(now time.Time, x store.Measurement) {
	s := subject{x.Test, x.Server, x.File}
	t := m.test(s)
	t.seen = now
	if !x.Available {
		return // the monitor says when that makes the server down
	}
	n := len(t.medians)
	t.add(x.At, x.Response)
	if len(t.medians) != n || t.limit == 0 {
		m.relevel(t)
	}
	m.slow(now, s, t, x)
	m.content(now, s, t, x)
}

func (m *Machine) slow(now time.Time, s subject, t *test, x store.Measurement) {
	if len(t.last) == recent {
		t.last = slices.Delete(t.last, 0, 1)
	}
	t.last = append(t.last, x.Response)
	labels := []string{"test", s.test, "server", s.server, "file", s.file}
	mid := median(t.last)
	if t.limit == 0 || len(t.last) < recent || mid <= t.limit {
		m.clear(now, Slow, labels...)
		return
	}
	m.find(now, finding{
		code: Slow, severity: Warning, labels: labels, after: m.rules.SlowAfter,
		title: fmt.Sprintf("%s delivers %s slowly: %s instead of %s", s.server, s.file, short(mid), short(t.mid)),
		evidence: []string{
			fmt.Sprintf("median of the last %d downloads: %s (the last one %s)", recent, short(mid), short(x.Response)),
			fmt.Sprintf("learned from %d five-minute medians: %s, deviation (MAD) %s; slow is above %s", len(t.medians), short(t.mid), short(t.mad), short(t.limit)),
			fmt.Sprintf("the last download: %d bytes, first block after %s, %d retransmissions", x.Bytes, short(x.FirstBlock), x.Retransmits),
		},
		meaning: "the server answers and its content arrives, later than this server itself used to: load, a disk, or packets lost on the way",
		fix:     retransmitHint(x) + "surefoot watch history " + s.server + " --since 24h shows since when; surefoot tftp status on the node shows who makes the load",
	})
}

func retransmitHint(x store.Measurement) string {
	if x.Retransmits > 0 {
		return "packets are sent again: look for loss between this node and the server (duplex, MTU, a full link). "
	}
	return ""
}

// short is a duration as people read it.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// round is a span of the site file as people write it: 15m and not 15m0s.
func round(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
