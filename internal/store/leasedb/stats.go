package leasedb

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Names of the metrics.
const (
	MetricRecords  = "surefoot_leases_kept_total"
	MetricRefused  = "surefoot_leases_refused_total"
	MetricFailed   = "surefoot_leases_failed_commits_total"
	MetricSeconds  = "surefoot_leases_commit_seconds"
	MetricBatch    = "surefoot_leases_commit_records"
	MetricQueue    = "surefoot_leases_queue"
	MetricWritable = "surefoot_leases_writable"
	MetricDamaged  = "surefoot_leases_damaged_records_total"
	MetricSalvages = "surefoot_leases_damaged_files_total"
)

// histogram counts values at or below each of its bounds.
type histogram struct {
	bounds []float64
	counts []uint64
	sum    float64
	n      uint64
}

func newHistogram(bounds ...float64) *histogram {
	return &histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

func (h *histogram) add(v float64) {
	h.counts[sort.SearchFloat64s(h.bounds, v)]++
	h.sum += v
	h.n++
}

// buckets are the counts as Prometheus has them: each with those below.
func (h *histogram) buckets() map[float64]uint64 {
	out, n := make(map[float64]uint64, len(h.bounds)), uint64(0)
	for i, b := range h.bounds {
		n += h.counts[i]
		out[b] = n
	}
	return out
}

// stats are what happened since the start.
type stats struct {
	kept, commits, failed, coalesced atomic.Uint64
	refused                          [len(refusals)]atomic.Uint64
	salvages, salvaged, damaged      atomic.Uint64
	moves                            atomic.Uint64
	moving                           atomic.Int64 // nanoseconds for which commits waited

	mu             sync.Mutex // guards what follows
	seconds, batch *histogram
}

func (s *stats) committed(records int, took time.Duration) {
	s.kept.Add(uint64(records))
	s.commits.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seconds == nil {
		s.seconds = newHistogram(.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5)
		s.batch = newHistogram(1, 4, 16, 64, 256, 1024)
	}
	s.seconds.add(took.Seconds())
	s.batch.add(float64(records))
}

func (s *stats) refuse(why Refusal, n int) {
	for i, r := range refusals {
		if r == why {
			s.refused[i].Add(uint64(n))
		}
	}
}

func (s *stats) checkpoint(took time.Duration) {
	s.moves.Add(1)
	s.moving.Add(int64(took))
}

// Stats is what the file did since the start.
type Stats struct {
	Kept      uint64 // records on disk
	Coalesced uint64 // of those, replaced by a newer one in the same transaction
	Refused   map[Refusal]uint64
	Commits   uint64
	Failed    uint64        // transactions that the disk refused
	Writing   time.Duration // spent in transactions on disk
	Queue     int           // records that wait, or are being written
	QueueMax  int
	Moves     uint64        // of the log into the file
	Moving    time.Duration // for which transactions waited for that
	Salvages  uint64        // damaged files that were made anew
	Salvaged  uint64        // records carried over from them
	Damaged   uint64        // records that could not be read
	Fault     error
}

// Stats returns them.
func (d *DB) Stats() Stats {
	s := &d.stats
	out := Stats{
		Kept: s.kept.Load(), Coalesced: s.coalesced.Load(), Refused: map[Refusal]uint64{}, Commits: s.commits.Load(), Failed: s.failed.Load(),
		Queue: d.queue.length(), QueueMax: d.queue.max, Moves: s.moves.Load(), Moving: time.Duration(s.moving.Load()),
		Salvages: s.salvages.Load(), Salvaged: s.salvaged.Load(), Damaged: s.damaged.Load(), Fault: d.Fault(),
	}
	for i, why := range refusals {
		if n := s.refused[i].Load(); n > 0 {
			out.Refused[why] = n
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seconds != nil {
		out.Writing = time.Duration(s.seconds.sum * float64(time.Second))
	}
	return out
}

// Describe sends nothing: what Collect sends is checked all the same (prometheus.Collector).
func (d *DB) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics.
func (d *DB) Collect(out chan<- prometheus.Metric) {
	send := func(t prometheus.ValueType, v float64, name, help string) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), t, v)
	}
	s := d.Stats()
	writable := 1.0
	if s.Fault != nil {
		writable = 0
	}
	send(prometheus.CounterValue, float64(s.Kept), MetricRecords, "Records of leases on disk.")
	send(prometheus.CounterValue, float64(s.Failed), MetricFailed, "Transactions of leases that the disk refused.")
	send(prometheus.GaugeValue, float64(s.Queue), MetricQueue, "Records of leases that wait for the disk.")
	send(prometheus.GaugeValue, writable, MetricWritable, "1 if leases can be kept, else 0.")
	send(prometheus.CounterValue, float64(s.Damaged), MetricDamaged, "Records of leases that could not be read.")
	send(prometheus.CounterValue, float64(s.Salvages), MetricSalvages, "Lease files that were damaged, and made anew of what could be read.")
	refused := prometheus.NewDesc(MetricRefused, "Records of leases that were not kept, by reason.", []string{"reason"}, nil)
	for _, why := range refusals {
		out <- prometheus.MustNewConstMetric(refused, prometheus.CounterValue, float64(s.Refused[why]), string(why))
	}
	d.stats.mu.Lock()
	defer d.stats.mu.Unlock()
	if h := d.stats.seconds; h != nil {
		out <- prometheus.MustNewConstHistogram(prometheus.NewDesc(MetricSeconds, "Seconds that transactions of leases took.", nil, nil), h.n, h.sum, h.buckets())
	}
	if h := d.stats.batch; h != nil {
		out <- prometheus.MustNewConstHistogram(prometheus.NewDesc(MetricBatch, "Records in a transaction of leases.", nil, nil), h.n, h.sum, h.buckets())
	}
}
