package etcd

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Names of the metrics.
const (
	MetricContact       = "surefoot_shared_contact"
	MetricLosses        = "surefoot_shared_contact_losses_total"
	MetricRecords       = "surefoot_shared_records"
	MetricUnpublished   = "surefoot_shared_unpublished_records"
	MetricClaims        = "surefoot_shared_claims_total"
	MetricClaimSeconds  = "surefoot_shared_claim_seconds"
	MetricCommitSeconds = "surefoot_shared_commit_seconds"
	MetricConflicts     = "surefoot_shared_conflicts_total"
	MetricFailed        = "surefoot_shared_failed_commits_total"
	MetricResyncs       = "surefoot_shared_resyncs_total"
	MetricClashes       = "surefoot_shared_clashes_total"
	MetricUnread        = "surefoot_shared_unread_records_total"
	MetricLag           = "surefoot_shared_watch_lag_seconds"
	MetricOwn           = "surefoot_shared_own_addresses"
	MetricOwnFree       = "surefoot_shared_own_free_addresses"
	MetricClock         = "surefoot_shared_clock_difference_seconds"
	MetricDoubt         = "surefoot_shared_clocks_doubted"
	MetricDeaf          = "surefoot_shared_deaf"
)

// stats are what happened since the start.
type stats struct {
	commits, waited     prometheus.Histogram
	losses, resyncs     counter
	late, refused, lost counter
	failed, conflicts   counter
	unread, clashes     counter
	winning             counter
	gains               int // guarded by Cluster.mu

	mu   sync.Mutex // guards last and n
	last [recentClaims]time.Duration
	n    int
}

// recentClaims are those whose times status shows.
const recentClaims = 256

type counter struct{ atomic.Uint64 }

func (c *counter) Inc() { c.Add(1) }

func newStats() *stats {
	h := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: name, Help: help, Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .15, .3, .6, 1},
		})
	}
	return &stats{
		commits: h(MetricCommitSeconds, "Seconds that transactions of the shared store took."),
		waited:  h(MetricClaimSeconds, "Seconds from a claim until the shared store had it."),
	}
}

// won counts a record that got there.
func (s *stats) won(k *claim) {
	if k.why != toClaim {
		return
	}
	took := time.Since(k.asked)
	s.winning.Inc()
	s.waited.Observe(took.Seconds())
	s.mu.Lock()
	s.last[s.n%recentClaims] = took
	s.n++
	s.mu.Unlock()
}

// recent returns the median and the longest of the last claims.
func (s *stats) recent() (median, worst time.Duration) {
	s.mu.Lock()
	list := slices.Clone(s.last[:min(s.n, recentClaims)])
	s.mu.Unlock()
	if len(list) == 0 {
		return 0, 0
	}
	slices.Sort(list)
	return list[len(list)/2], list[len(list)-1]
}

// Describe sends nothing: what Collect sends is checked all the same (prometheus.Collector).
func (c *Cluster) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics.
func (c *Cluster) Collect(out chan<- prometheus.Metric) {
	st, s := c.Status(), c.stats
	send := func(t prometheus.ValueType, v float64, name, help string, labels ...string) {
		var names, values []string
		for i := 0; i < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), t, v, values...)
	}
	gauge := func(v float64, name, help string, labels ...string) {
		send(prometheus.GaugeValue, v, name, help, labels...)
	}
	count := func(n *counter, name, help string, labels ...string) {
		send(prometheus.CounterValue, float64(n.Load()), name, help, labels...)
	}
	yes := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	gauge(yes(st.Contact), MetricContact, "1 while the shared store answers, else 0.")
	count(&s.losses, MetricLosses, "Times that the shared store stopped to answer.")
	gauge(float64(st.Records), MetricRecords, "Records of addresses in the shared store.")
	gauge(float64(st.Unpublished), MetricUnpublished, "Records that this node made by itself and that are not in the shared store yet.")
	const claims = "Claims of addresses in the shared store, by outcome."
	count(&s.winning, MetricClaims, claims, "outcome", "won")
	count(&s.lost, MetricClaims, claims, "outcome", "lost")
	count(&s.late, MetricClaims, claims, "outcome", "late")
	count(&s.refused, MetricClaims, claims, "outcome", "refused")
	count(&s.conflicts, MetricConflicts, "Transactions of the shared store in which another node was first.")
	count(&s.failed, MetricFailed, "Transactions of the shared store without an answer.")
	count(&s.resyncs, MetricResyncs, "Times that everything in the shared store was read.")
	count(&s.clashes, MetricClashes, "Addresses that this node gave out by itself and another node too. Must be 0.")
	count(&s.unread, MetricUnread, "Records of the shared store that this version cannot read.")
	gauge(st.Lag.Seconds(), MetricLag, "Seconds from a change by this node until it saw it in the shared store.")
	for _, n := range st.Networks {
		gauge(float64(n.Own), MetricOwn, "Addresses in this node's own blocks.", "network", n.Network)
		gauge(float64(n.Free), MetricOwnFree, "Addresses in this node's own blocks that nobody has.", "network", n.Network)
	}
	for _, n := range st.Nodes {
		if n.Present && !n.Self {
			gauge(n.Clock.Seconds(), MetricClock, "Seconds by which another node's clock is ahead.", "node", n.Name)
		}
	}
	gauge(yes(!st.Doubt.IsZero()), MetricDoubt, "1 while the clocks of nodes differ by more than an address rests, or did lately, else 0.")
	gauge(float64(len(st.Deaf)), MetricDeaf, "Networks and relays that some nodes hear and others do not.")
	s.commits.Collect(out)
	s.waited.Collect(out)
}
