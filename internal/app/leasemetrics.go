package app

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Names of the metrics of the networks' addresses.
const (
	metricLeases   = "surefoot_dhcp_leases"
	metricPoolSize = "surefoot_dhcp_pool_addresses"
	metricPoolUsed = "surefoot_dhcp_pool_used_ratio"
)

// leaseMetrics are those of the pools, and of the lease file once it is open.
type leaseMetrics struct{ view *leaseView }

// Describe sends nothing: what Collect sends is checked all the same (prometheus.Collector).
func (m leaseMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics.
func (m leaseMetrics) Collect(out chan<- prometheus.Metric) {
	states := prometheus.NewDesc(metricLeases, "Addresses of a network by what they are: active, offered, declined, resting, reserved, free.", []string{"network", "state"}, nil)
	size := prometheus.NewDesc(metricPoolSize, "Addresses that a network has to give, reservations among them.", []string{"network"}, nil)
	used := prometheus.NewDesc(metricPoolUsed, "Share of a network's addresses that no new machine can get, from 0 to 1.", []string{"network"}, nil)
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, p := range m.view.Pools() {
		for _, s := range []struct {
			name string
			n    int
		}{{"active", p.Active}, {"offered", p.Offered}, {"declined", p.Declined}, {"resting", p.Resting}, {"reserved", p.Reserved}, {"free", p.Free}} {
			send(states, float64(s.n), p.Network, s.name)
		}
		send(size, float64(p.Size), p.Network)
		if p.Size > 0 {
			send(used, float64(p.Size-p.Free-p.Resting)/float64(p.Size), p.Network)
		}
	}
	if db := m.view.leases.file(); db != nil {
		db.Collect(out)
	}
}
