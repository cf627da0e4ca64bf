package watch

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Names of the metrics of DISCOVERs.
const (
	MetricDHCPAnswered  = "surefoot_dhcp_probe_answered"
	MetricDHCPSeconds   = "surefoot_dhcp_probe_response_seconds"
	MetricDHCPServices  = "surefoot_dhcp_probe_services"
	MetricDHCPRuns      = "surefoot_dhcp_probe_runs_total"
	MetricDHCPForm      = "surefoot_dhcp_probe_form_answered"
	MetricDHCPSilent    = "surefoot_dhcp_probe_unanswered_total"
	MetricDHCPNotAsked  = "surefoot_dhcp_probe_errors_total"
	MetricDHCPStrangers = "surefoot_dhcp_probe_strangers"
)

// DiscoverCollector gives what is known of the segments to whoever scrapes.
type DiscoverCollector struct {
	d *Discoverer

	answered, seconds, services, strangers, form, runs, silent, errors *prometheus.Desc
	all                                                                []*prometheus.Desc
}

// NewDiscoverCollector makes the collector of a Discoverer.
func NewDiscoverCollector(d *Discoverer) *DiscoverCollector {
	c := &DiscoverCollector{d: d}
	desc := func(name, help string, more ...string) *prometheus.Desc {
		x := prometheus.NewDesc(name, help, append([]string{"network", "interface"}, more...), nil)
		c.all = append(c.all, x)
		return x
	}
	c.answered = desc(MetricDHCPAnswered, "1 if somebody offered an address to the last DISCOVERs, else 0; absent while they cannot be sent.")
	c.seconds = desc(MetricDHCPSeconds, "Seconds to the first offer of an address; absent if none came.")
	c.form = desc(MetricDHCPForm, "1 if an address was offered to the DISCOVER with these flags, else 0.", "flags")
	c.services = desc(MetricDHCPServices, "Who answered the last DISCOVERs: with an address, with what to boot.", "offers")
	c.strangers = desc(MetricDHCPStrangers, "Services that say what to boot and that the site file does not know.")
	c.runs = desc(MetricDHCPRuns, "Probes of the segment.")
	c.silent = desc(MetricDHCPSilent, "Probes without an offer of an address.")
	c.errors = desc(MetricDHCPNotAsked, "Probes that could not be made, or whose silence says nothing.")
	return c
}

// Describe lists the metrics.
func (c *DiscoverCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.all {
		out <- d
	}
}

// Collect gives the values of now.
func (c *DiscoverCollector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.d.Segments(Query{}) {
		if s.Last == nil || s.Last.State == LeftOut {
			continue
		}
		at := []string{s.Network, s.Interface}
		gauge := func(d *prometheus.Desc, v float64, more ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append(at[:2:2], more...)...)
		}
		counter := func(d *prometheus.Desc, v float64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, at...)
		}
		counter(c.runs, float64(s.Runs))
		counter(c.silent, float64(s.BadRuns))
		counter(c.errors, float64(s.Errors))
		l := s.Last
		if l.State == NotAsked {
			continue
		}
		gauge(c.answered, truth(l.Response > 0))
		if l.Response > 0 {
			gauge(c.seconds, l.Response.Seconds())
		}
		if !isSix(s.Name) {
			for _, flags := range []string{flagsUnicast, flagsBroadcast} {
				gauge(c.form, truth(l.Response > 0 && l.Lost != flags), flags)
			}
		}
		var address, boots, strangers float64
		for i := range l.Services {
			x := &l.Services[i]
			address += truth(x.Address)
			boots += truth(x.Boot)
			strangers += truth(x.Stranger())
		}
		gauge(c.services, address, "address")
		gauge(c.services, boots, "boot")
		gauge(c.strangers, strangers)
	}
}
