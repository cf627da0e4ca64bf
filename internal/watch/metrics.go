package watch

import (
	"github.com/prometheus/client_golang/prometheus"

	"surefoot/internal/health"
)

// Names of the metrics (F37: what the multi-target exporters call theirs, with our prefix). A test
// holds them and docs/metrics.md together.
const (
	MetricSuccess     = "surefoot_probe_success"
	MetricSeconds     = "surefoot_probe_duration_seconds"
	MetricFirst       = "surefoot_probe_first_block_seconds"
	MetricBytes       = "surefoot_probe_bytes"
	MetricRuns        = "surefoot_probe_runs_total"
	MetricFaults      = "surefoot_probe_faults_total"
	MetricRetransmits = "surefoot_probe_retransmits_total"
	MetricServerUp    = "surefoot_server_up"
	MetricDrained     = "surefoot_server_drained"
	MetricAllDown     = "surefoot_watch_files_all_down"
	MetricTests       = "surefoot_watch_tests"
	MetricLate        = "surefoot_watch_late_seconds"
	MetricLateStarts  = "surefoot_watch_late_starts_total"
)

// Collector gives what is known to whoever scrapes.
type Collector struct {
	w *Watcher

	success, seconds, first, bytes, runs, faults, retransmits *prometheus.Desc
	serverUp, drained, allDown, tests, late, lateStarts       *prometheus.Desc
}

// NewCollector makes the Collector of a Watcher.
func NewCollector(w *Watcher) *Collector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &Collector{
		w:           w,
		success:     d(MetricSuccess, "1 if the test's last download was good, else 0.", "test", "server"),
		seconds:     d(MetricSeconds, "Seconds of the test's last download; absent if it was not good.", "test", "server"),
		first:       d(MetricFirst, "Seconds from the test's last request to its first block; absent if the download was not good.", "test", "server"),
		bytes:       d(MetricBytes, "Bytes of the test's last download.", "test", "server"),
		runs:        d(MetricRuns, "Downloads of the test.", "test", "server"),
		faults:      d(MetricFaults, "Downloads of the test that failed, by what went wrong.", "test", "server", "code"),
		retransmits: d(MetricRetransmits, "Packets that the test had to send again.", "test", "server"),
		serverUp:    d(MetricServerUp, "1 if the server is up for all its files, 0 if it is down for one; absent while nothing is known.", "server"),
		drained:     d(MetricDrained, "1 if the server is drained, else 0.", "server"),
		allDown:     d(MetricAllDown, "Files that no server hands out at present by a protocol that machines use, so that all are named.", nil...),
		tests:       d(MetricTests, "Tests that are done again and again.", nil...),
		late:        d(MetricLate, "Seconds by which the last test began later than planned.", nil...),
		lateStarts:  d(MetricLateStarts, "Tests that began later than planned by more than a tenth of their period.", nil...),
	}
}

// Describe lists the metrics.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.success, c.seconds, c.first, c.bytes, c.runs, c.faults, c.retransmits, c.serverUp, c.drained, c.allDown, c.tests, c.late, c.lateStarts,
	} {
		out <- d
	}
}

// Collect gives the values of now.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	rep := c.w.Report(Query{})
	for _, s := range rep.Servers {
		switch s.Health {
		case health.Up:
			gauge(c.serverUp, 1, s.Name)
		case health.Down, Partly:
			gauge(c.serverUp, 0, s.Name)
		}
		gauge(c.drained, truth(s.Drain != nil), s.Name)
	}
	gauge(c.allDown, float64(allDown(c.w.Snapshot().AllDown())))
	gauge(c.tests, float64(len(rep.Tests)))
	gauge(c.late, float64(c.w.late.Load())/1e9)
	counter(c.lateStarts, float64(c.w.lateStarts.Load()))
	for _, t := range rep.Tests {
		if t.Last == nil {
			continue
		}
		gauge(c.success, truth(t.Last.Good()), t.Name, t.Server)
		gauge(c.bytes, float64(t.Last.Bytes), t.Name, t.Server)
		if t.Last.Good() {
			gauge(c.seconds, t.Last.Response.Seconds(), t.Name, t.Server)
			gauge(c.first, t.Last.FirstBlock.Seconds(), t.Name, t.Server)
		}
		counter(c.runs, float64(t.Runs), t.Name, t.Server)
	}
	c.w.counts(func(e *entry) {
		counter(c.retransmits, float64(e.repeats), e.test.Name, e.test.Server)
		for code, n := range e.faults {
			counter(c.faults, float64(n), e.test.Name, e.test.Server, string(code))
		}
	})
}

// counts visits every test that has run.
func (w *Watcher) counts(visit func(*entry)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.order {
		if e.last != nil {
			visit(e)
		}
	}
}

// allDown counts files, each once, whatever the protocol by which nobody hands it out.
func allDown(findings []health.Finding) int {
	files := map[string]bool{}
	for _, f := range findings {
		files[f.File] = true
	}
	return len(files)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
