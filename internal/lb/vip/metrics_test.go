package vip

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"surefoot/internal/boot"
)

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(NewCollector(func() []Report {
		return []Report{{
			Name: "boot", State: Master, Priority: 100, Takeovers: 2, Sent: 3, Received: 4,
			Ignored:  map[boot.Reason]uint64{boot.VIPBadTTL: 5},
			Conflict: &Conflict{Reason: boot.VIPTwoMasters, From: netip.MustParseAddr("10.0.0.9")},
		}}
	}))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			key := f.GetName()
			for _, l := range m.Label {
				key += " " + l.GetValue()
			}
			got[key] = value(m)
		}
	}
	for key, want := range map[string]float64{
		MetricState + " master boot": 1, MetricState + " backup boot": 0, MetricPriority + " boot": 100, MetricTakeovers + " boot": 2,
		MetricSent + " boot": 3, MetricReceived + " boot": 4, MetricIgnored + " vip-bad-ttl boot": 5, MetricConflict + " vip-two-masters boot": 1,
	} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s = %v, %v, want %v", key, v, ok, want)
		}
	}
	doc, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{MetricState, MetricPriority, MetricTakeovers, MetricSent, MetricReceived, MetricIgnored, MetricConflict} {
		if !strings.Contains(string(doc), "`"+name+"{") {
			t.Errorf("docs/metrics.md does not explain %s", name)
		}
	}
}

func value(m *dto.Metric) float64 {
	if m.Gauge != nil {
		return m.Gauge.GetValue()
	}
	return m.Counter.GetValue()
}
