package watch

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
)

// names lists the constants; TestMetrics finds out if one is not here.
var names = []string{
	MetricSuccess, MetricSeconds, MetricFirst, MetricBytes, MetricRuns, MetricFaults, MetricRetransmits,
	MetricServerUp, MetricDrained, MetricAllDown, MetricTests, MetricLate, MetricLateStarts,
}

// TestMetrics holds values, names and documentation together.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s servers
		s.kill("s2", true)
		w := run(t, site(2), Deps{Probe: s.probe})
		if _, err := w.Drain(t.Context(), "s1", 0, "", false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		reg := prometheus.NewPedanticRegistry()
		if err := reg.Register(NewCollector(w)); err != nil {
			t.Fatal(err)
		}
		all, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]float64{}
		var shown []string
		for _, f := range all {
			shown = append(shown, f.GetName())
			for _, m := range f.GetMetric() {
				key := f.GetName()
				for _, l := range m.GetLabel() {
					key += " " + l.GetValue()
				}
				values[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
			problems, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{f}).Lint()
			if err != nil || len(problems) > 0 {
				t.Errorf("%s: %v, %v", f.GetName(), problems, err)
			}
		}
		for key, want := range map[string]float64{
			MetricServerUp + " s1": 1, MetricServerUp + " s2": 0, MetricDrained + " s1": 1, MetricDrained + " s2": 0,
			MetricSuccess + " s1 s1/f": 1, MetricSuccess + " s2 s2/f": 0, MetricSeconds + " s1 s1/f": 0.005, MetricBytes + " s1 s1/f": 1000,
			MetricTests: 2, MetricAllDown: 0, MetricLateStarts: 0,
		} {
			if got, ok := values[key]; !ok || got != want {
				t.Errorf("%s = %v (there: %v), want %v", key, got, ok, want)
			}
		}
		if _, ok := values[MetricSeconds+" s2 s2/f"]; ok {
			t.Error("a server that does not deliver has a response time")
		}
		if values[MetricFaults+" no-answer s2 s2/f"] < 3 || values[MetricRetransmits+" s2 s2/f"] < 9 {
			t.Errorf("faults are not counted: %v", values)
		}
		slices.Sort(shown)
		want := slices.Sorted(slices.Values(names))
		if !slices.Equal(shown, want) {
			t.Errorf("shown are %q, want %q", shown, want)
		}
	})
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !regexp.MustCompile("`" + name + "[`{]").Match(doc) {
			t.Errorf("docs/metrics.md does not explain %s", name)
		}
	}
	for _, m := range regexp.MustCompile("surefoot_(?:probe|server|watch)_[a-z_]+").FindAllString(string(doc), -1) {
		if !slices.Contains(names, m) {
			t.Errorf("docs/metrics.md explains %s, which does not exist", strings.TrimSpace(m))
		}
	}
}
