package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"surefoot/internal/lb"
)

// Names of the metrics of the load balancer. docs/metrics.md explains each.
const (
	MetricLBDownloads = "surefoot_lb_downloads_total"
	MetricLBBytes     = "surefoot_lb_fetched_bytes_total"
	MetricLBRunning   = "surefoot_lb_downloads_running"
	MetricLBShared    = "surefoot_lb_shared_requests_total"
	MetricLBCached    = "surefoot_lb_cached_bytes"

	MetricLBRequests = "surefoot_lb_requests_total"
	MetricLBRetries  = "surefoot_lb_request_retries_total"
	MetricLBPackets  = "surefoot_lb_carried_packets_total"
	MetricLBCarried  = "surefoot_lb_carried_bytes_total"
	MetricLBBackend  = "surefoot_lb_backend_state"
	MetricLBActive   = "surefoot_lb_path_active"
	MetricLBTrouble  = "surefoot_lb_path_trouble"
	MetricLBNotSent  = "surefoot_lb_not_balanced_packets_total"
	MetricLBExpected = "surefoot_lb_expected_transfers"
	MetricLBExpect   = "surefoot_lb_expected_transfers_limit"
)

// lbMetrics asks the services that run now.
type lbMetrics struct {
	a                                         *App
	downloads, bytes, running, shared, cached *prometheus.Desc

	requests, retries, packets, carried, backend, active, trouble, notSent, expected, limit *prometheus.Desc
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

		requests: desc(MetricLBRequests, "Requests that a data path in the kernel sent to a backend.", "service", "backend"),
		retries:  desc(MetricLBRetries, "Requests that a client repeated from the same port.", "service", "backend"),
		packets:  desc(MetricLBPackets, "Packets that a data path in the kernel carried for a backend.", "service", "backend"),
		carried:  desc(MetricLBCarried, "Bytes that a data path in the kernel carried for a backend.", "service", "backend"),
		backend:  desc(MetricLBBackend, "1 for what a data path does with a backend, else 0.", "service", "backend", "state"),
		active:   desc(MetricLBActive, "1 where this node has the service's address, or is told to act so.", "service"),
		trouble:  desc(MetricLBTrouble, "1 while a data path does not follow.", "service"),
		notSent:  desc(MetricLBNotSent, "Packets that came by an interface with dsr and went to no backend, by reason.", "reason"),
		expected: desc(MetricLBExpected, "Transfers that the kernel expects: requests behind address translation without an answer yet."),
		limit:    desc(MetricLBExpect, "How many transfers the kernel can expect."),
	}
}

func (m *lbMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.downloads, m.bytes, m.running, m.shared, m.cached,
		m.requests, m.retries, m.packets, m.carried, m.backend, m.active, m.trouble, m.notSent, m.expected, m.limit,
	} {
		ch <- d
	}
}

func (m *lbMetrics) Collect(ch chan<- prometheus.Metric) {
	m.paths(ch)
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

// paths gives what the kernel counts.
func (m *lbMetrics) paths(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), balanceWithin)
	defer cancel()
	send := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	flag := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	translated := false
	for _, v := range m.a.paths.Views(ctx) {
		s := &v.Table.Service
		translated = translated || s.Mode != lb.DSR
		send(m.active, prometheus.GaugeValue, flag(v.Table.Active), s.Name)
		send(m.trouble, prometheus.GaugeValue, flag(v.Trouble != ""), s.Name)
		for i, b := range s.Backends {
			for _, state := range []string{"alive", "drained", "out"} {
				send(m.backend, prometheus.GaugeValue, flag(standing(&v.Table, i) == state), s.Name, b.Name, state)
			}
		}
		for _, c := range v.Counts {
			send(m.requests, prometheus.CounterValue, float64(c.Requests), c.Service, c.Backend)
			send(m.retries, prometheus.CounterValue, float64(c.Retries), c.Service, c.Backend)
			send(m.packets, prometheus.CounterValue, float64(c.Packets), c.Service, c.Backend)
			send(m.carried, prometheus.CounterValue, float64(c.Bytes), c.Service, c.Backend)
		}
	}
	if reasons, err := m.a.direct.bpf.NotForwarded(); err == nil {
		for r, n := range reasons {
			send(m.notSent, prometheus.CounterValue, float64(n), r.String())
		}
	}
	if n, most := m.a.expecting.get(); translated && most > 0 {
		send(m.expected, prometheus.GaugeValue, float64(n))
		send(m.limit, prometheus.GaugeValue, float64(most))
	}
}
