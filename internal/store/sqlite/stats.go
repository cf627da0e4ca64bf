package sqlite

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"surefoot/internal/boot"
)

// Names of the metrics; docs/metrics.md explains each.
const (
	MetricRecords  = "surefoot_history_records_total"
	MetricLost     = "surefoot_history_lost_total"
	MetricCommits  = "surefoot_history_commits_total"
	MetricFailed   = "surefoot_history_failed_commits_total"
	MetricSeconds  = "surefoot_history_commit_seconds_total"
	MetricQueue    = "surefoot_history_queue_bytes"
	MetricSize     = "surefoot_history_size_bytes"
	MetricWritable = "surefoot_history_writable"
	MetricSqueeze  = "surefoot_history_squeeze"
	MetricBroken   = "surefoot_history_broken_files_total"
)

// Why a record is lost.
const (
	reasonBehind  = string(boot.HistoryBehind)
	reasonRefused = string(boot.HistoryRefused)
)

// stats are counted without a lock: they are changed by whoever brings a record.
type stats struct {
	kept            [kinds]atomic.Uint64
	behind, refused [kinds]atomic.Uint64
	commits, failed atomic.Uint64
	nanos           atomic.Int64
	used, squeeze   atomic.Int64
	corrupt         atomic.Uint64
}

func (s *stats) lose(k kind, reason string, n uint64) {
	if reason == reasonBehind {
		s.behind[k].Add(n)
		return
	}
	s.refused[k].Add(n)
}

func (s *stats) committed(batch []item, took time.Duration) {
	for _, it := range batch {
		s.kept[it.kind].Add(1)
	}
	s.commits.Add(1)
	s.nanos.Add(int64(took))
}

// Lost is how many records of each kind are not kept, since the start, by the word for the kind.
func (d *DB) Lost() map[string]uint64 {
	out := map[string]uint64{}
	for k, name := range kindNames {
		if n := d.stats.behind[k].Load() + d.stats.refused[k].Load(); n > 0 {
			out[name] = n
		}
	}
	return out
}

// Describe sends nothing: what Collect sends is checked all the same (prometheus.Collector).
func (d *DB) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics.
func (d *DB) Collect(out chan<- prometheus.Metric) {
	send := func(t prometheus.ValueType, v float64, name, help string, labels ...string) {
		var names, values []string
		for i := 0; i < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), t, v, values...)
	}
	for k, name := range kindNames {
		send(prometheus.CounterValue, float64(d.stats.kept[k].Load()), MetricRecords, "Records written to the history, by kind.", "kind", name)
		const help = "Records that are not in the history, by kind and reason."
		send(prometheus.CounterValue, float64(d.stats.behind[k].Load()), MetricLost, help, "kind", name, "reason", reasonBehind)
		send(prometheus.CounterValue, float64(d.stats.refused[k].Load()), MetricLost, help, "kind", name, "reason", reasonRefused)
	}
	_, cost, _ := d.queue.waits()
	writable := 1.0
	if d.Fault() != nil {
		writable = 0
	}
	send(prometheus.CounterValue, float64(d.stats.commits.Load()), MetricCommits, "Transactions of the history on disk.")
	send(prometheus.CounterValue, float64(d.stats.failed.Load()), MetricFailed, "Transactions of the history that the disk refused.")
	send(prometheus.CounterValue, time.Duration(d.stats.nanos.Load()).Seconds(), MetricSeconds, "Seconds spent in commits of the history.")
	send(prometheus.GaugeValue, float64(cost), MetricQueue, "Bytes that wait to be written to the history.")
	send(prometheus.GaugeValue, float64(d.stats.used.Load()), MetricSize, "Bytes that the records of the history take.")
	send(prometheus.GaugeValue, writable, MetricWritable, "1 if the history can be written, else 0.")
	send(prometheus.GaugeValue, float64(d.stats.squeeze.Load()), MetricSqueeze, "How often the time for which records are kept was halved for want of room; 0: as configured.")
	send(prometheus.CounterValue, float64(d.stats.corrupt.Load()), MetricBroken, "Histories that were found broken, moved aside and begun anew.")
}
