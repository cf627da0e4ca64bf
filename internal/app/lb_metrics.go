package app

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Names of the metrics of the load balancer. docs/metrics.md explains each.
const (
	MetricLBDownloads = "surefoot_lb_downloads_total"
	MetricLBBytes     = "surefoot_lb_fetched_bytes_total"
	MetricLBRunning   = "surefoot_lb_downloads_running"
	MetricLBShared    = "surefoot_lb_shared_requests_total"
	MetricLBCached    = "surefoot_lb_cached_bytes"
)

// lbMetrics asks the services that run now.
type lbMetrics struct {
	a                                         *App
	downloads, bytes, running, shared, cached *prometheus.Desc
}

func newLBMetrics(a *App) *lbMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &lbMetrics{
		a:         a,
		downloads: desc(MetricLBDownloads, "Downloads of the load balancer from a backend that ended, by reason.", "service", "backend", "reason"),
		bytes:     desc(MetricLBBytes, "Bytes that the load balancer fetched from a backend.", "service", "backend"),
		running:   desc(MetricLBRunning, "Downloads of the load balancer from a backend that run.", "service", "backend"),
		shared:    desc(MetricLBShared, "Requests for which no download of their own was needed.", "service"),
		cached:    desc(MetricLBCached, "Bytes of contents that clients share.", "service"),
	}
}

func (m *lbMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.downloads, m.bytes, m.running, m.shared, m.cached} {
		ch <- d
	}
}

func (m *lbMetrics) Collect(ch chan<- prometheus.Metric) {
	for _, s := range m.a.slots {
		srv, _ := s.get()
		b, ok := srv.(*balancer)
		if !ok {
			continue
		}
		for _, r := range b.relays {
			name, st := r.Service().Name, r.Stats()
			ch <- prometheus.MustNewConstMetric(m.shared, prometheus.CounterValue, float64(st.Shared), name)
			ch <- prometheus.MustNewConstMetric(m.cached, prometheus.GaugeValue, float64(st.Cached), name)
			for backend, x := range st.Backends {
				ch <- prometheus.MustNewConstMetric(m.bytes, prometheus.CounterValue, float64(x.Bytes), name, backend)
				ch <- prometheus.MustNewConstMetric(m.running, prometheus.GaugeValue, float64(x.Running), name, backend)
				for reason, n := range x.Ended {
					ch <- prometheus.MustNewConstMetric(m.downloads, prometheus.CounterValue, float64(n), name, backend, string(reason))
				}
			}
		}
	}
}
