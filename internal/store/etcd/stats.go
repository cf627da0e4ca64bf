package etcd

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// stats are what happened since the start.
type stats struct {
	claims            *prometheus.CounterVec // by outcome
	commits, waited   prometheus.Histogram
	losses, resyncs   counter
	late, refused     counter
	failed, conflicts counter
	unread, clashes   counter
	winning           atomic.Uint64
	gains             int
}

type counter struct{ atomic.Uint64 }

func (c *counter) Inc() { c.Add(1) }

func newStats() *stats {
	return &stats{
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: MetricCommitSeconds, Help: "Seconds that transactions of the shared store took.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .15, .3, .6, 1},
		}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: MetricClaimSeconds, Help: "Seconds from a claim until the shared store had it.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .15, .3, .6, 1},
		}),
	}
}

// won counts a record that got there.
func (s *stats) won(k *claim) {
	if k.why == toClaim {
		s.winning.Add(1)
		s.waited.Observe(time.Since(k.asked).Seconds())
	}
}

// Names of the metrics.
const (
	MetricCommitSeconds = "surefoot_shared_commit_seconds"
	MetricClaimSeconds  = "surefoot_shared_claim_seconds"
)
