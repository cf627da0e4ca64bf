package web

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"surefoot/internal/probe"
)

// Names of the metrics that /probe answers with, one run each. docs/metrics.md explains them; a test
// holds the two together.
const (
	MetricProbeSuccess     = "probe_success"
	MetricProbeDuration    = "probe_duration_seconds"
	MetricProbeTimeout     = "probe_timeout_seconds"
	MetricProbeDNS         = "probe_dns_lookup_time_seconds"
	MetricProbeResponse    = "probe_response_seconds"
	MetricProbeFailure     = "probe_failure_info"
	MetricProbeBytes       = "probe_tftp_bytes"
	MetricProbeRetransmits = "probe_tftp_retransmits_total"
	MetricProbeFirstBlock  = "probe_tftp_first_block_seconds"
	MetricProbeHTTPBytes   = "probe_http_bytes"
	MetricProbeHTTPFirst   = "probe_http_first_byte_seconds"
	MetricProbeRecords     = "probe_dns_records"
	MetricProbeTTL         = "probe_dns_ttl_seconds"
)

// probeMetrics are those of one run, in a registry of their own. What was not measured is not there:
// a server that does not answer has no response time (F36).
func probeMetrics(res probe.Result, took, limit time.Duration) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	gauge := func(name, help string, value float64) {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		g.Set(value)
		reg.MustRegister(g)
	}
	seconds := func(name, help string, d time.Duration) {
		if d > 0 {
			gauge(name, help, d.Seconds())
		}
	}
	good := 0.0
	if res.Fault == nil {
		good = 1
	}
	gauge(MetricProbeSuccess, "1 if everything came and was right, else 0.", good)
	gauge(MetricProbeDuration, "Seconds that the probe took, whatever came of it.", took.Seconds())
	gauge(MetricProbeTimeout, "Seconds that it might have taken.", limit.Seconds())
	gauge(MetricProbeDNS, "Seconds that looking up the target's own name took; 0 for an address.", res.Resolve.Seconds())
	if res.Available {
		seconds(MetricProbeResponse, "Seconds from the first request to the last byte.", res.Response)
	}
	if f := res.Fault; f != nil {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: MetricProbeFailure, Help: "Always 1, where the probe failed: the step and the cause.",
		}, []string{"step", "cause"})
		g.WithLabelValues(string(f.Step), string(f.Code)).Set(1)
		reg.MustRegister(g)
	}
	switch {
	case res.Kind == probe.KindDNS:
		gauge(MetricProbeRecords, "Records in the answer.", float64(len(res.Records)))
		if ttl, ok := leastTTL(res); ok {
			gauge(MetricProbeTTL, "Seconds that the answer may be kept: the least of its records.", ttl)
		}
	case strings.HasPrefix(res.Target, "http:"):
		gauge(MetricProbeHTTPBytes, "Bytes of content that came.", float64(res.Size))
		seconds(MetricProbeHTTPFirst, "Seconds from the request to the first byte of content.", res.FirstBlock)
	default:
		gauge(MetricProbeBytes, "Bytes of content that came.", float64(res.Size))
		// A gauge, though named as a counter: the run is over, and the next one begins anew.
		gauge(MetricProbeRetransmits, "Packets that had to be sent again in this run.", float64(res.Retransmits))
		seconds(MetricProbeFirstBlock, "Seconds from the request to the first block.", res.FirstBlock)
	}
	return reg
}

func leastTTL(res probe.Result) (float64, bool) {
	if len(res.Records) == 0 {
		return 0, false
	}
	least := res.Records[0].TTL
	for _, r := range res.Records {
		least = min(least, r.TTL)
	}
	return float64(least), true
}
