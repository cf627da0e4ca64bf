package journal

import "github.com/prometheus/client_golang/prometheus"

// MetricVersion tells which version of the files is served. It has no value for a root without
// versions.
const MetricVersion = "surefoot_files_version_info"

// versionInfo asks for the version when somebody scrapes.
type versionInfo struct {
	desc *prometheus.Desc
	now  func() string
}

func newVersionInfo(now func() string) versionInfo {
	return versionInfo{
		desc: prometheus.NewDesc(MetricVersion, "Always 1; the label is the version of the files that is served.", []string{"version"}, nil),
		now:  now,
	}
}

// Describe implements prometheus.Collector.
func (v versionInfo) Describe(ch chan<- *prometheus.Desc) { ch <- v.desc }

// Collect implements prometheus.Collector.
func (v versionInfo) Collect(ch chan<- prometheus.Metric) {
	if id := v.now(); id != "" {
		ch <- prometheus.MustNewConstMetric(v.desc, prometheus.GaugeValue, 1, id)
	}
}
