package vip

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"surefoot/internal/boot"
)

// Names of the metrics; docs/metrics.md explains each.
const (
	MetricState     = "surefoot_vip_state"
	MetricPriority  = "surefoot_vip_priority"
	MetricTakeovers = "surefoot_vip_takeovers_total"
	MetricSent      = "surefoot_vip_sent_adverts_total"
	MetricReceived  = "surefoot_vip_received_adverts_total"
	MetricIgnored   = "surefoot_vip_ignored_adverts_total"
	MetricConflict  = "surefoot_vip_conflict"
)

// Collector gives what is known of the addresses to whoever scrapes.
type Collector struct {
	reports func() []Report

	state, priority, takeovers, sent, received, ignored, conflict *prometheus.Desc
	all                                                           []*prometheus.Desc
}

// NewCollector makes a collector of what reports returns.
func NewCollector(reports func() []Report) *Collector {
	c := &Collector{reports: reports}
	desc := func(name, help string, more ...string) *prometheus.Desc {
		x := prometheus.NewDesc(name, help, append([]string{"vip"}, more...), nil)
		c.all = append(c.all, x)
		return x
	}
	c.state = desc(MetricState, "1 for the state in which this node is with the service address, else 0.", "state")
	c.priority = desc(MetricPriority, "The priority of this node now.")
	c.takeovers = desc(MetricTakeovers, "How often this node took the address.")
	c.sent = desc(MetricSent, "Advertisements sent, one for each peer.")
	c.received = desc(MetricReceived, "Advertisements of the group received, those that were ignored as well.")
	c.ignored = desc(MetricIgnored, "Advertisements that were ignored, by reason.", "reason")
	c.conflict = desc(MetricConflict, "1 while somebody is in the way of the address, by reason.", "reason")
	return c
}

// Describe lists the metrics.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.all {
		out <- d
	}
}

// Collect gives the values of now.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	for _, r := range c.reports() {
		send := func(d *prometheus.Desc, t prometheus.ValueType, v float64, more ...string) {
			out <- prometheus.MustNewConstMetric(d, t, v, append([]string{r.Name}, more...)...)
		}
		for _, p := range []Phase{Init, Backup, Master, Leaving} {
			v := 0.0
			if p == r.State {
				v = 1
			}
			send(c.state, prometheus.GaugeValue, v, string(p))
		}
		send(c.priority, prometheus.GaugeValue, float64(r.Priority))
		send(c.takeovers, prometheus.CounterValue, float64(r.Takeovers))
		send(c.sent, prometheus.CounterValue, float64(r.Sent))
		send(c.received, prometheus.CounterValue, float64(r.Received))
		var why []boot.Reason
		for x := range r.Ignored {
			why = append(why, x)
		}
		slices.Sort(why)
		for _, x := range why {
			send(c.ignored, prometheus.CounterValue, float64(r.Ignored[x]), string(x))
		}
		if r.Conflict != nil {
			send(c.conflict, prometheus.GaugeValue, 1, string(r.Conflict.Reason))
		}
	}
}
