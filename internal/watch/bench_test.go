package watch

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/probe"
)

// BenchmarkSchedule is the cost of one run of a test beside the download itself, with 10,000 tests:
// planned, taken, judged and kept. A thousand of them a second is what 10,000 tests every 10 s are.
// The memory is that of a test whose ring is full.
func BenchmarkSchedule(b *testing.B) {
	const tests = 10000
	cfg := Config{Node: "boot1", Servers: map[string]boot.Server{}, Diagnose: Diagnosis{Normal: 10, Abnormal: 1}}
	for i := range tests {
		server, file := fmt.Sprintf("s%d", i/10), fmt.Sprintf("file%d", i%10)
		cfg.Servers[server] = boot.Server{Name: server}
		cfg.Tests = append(cfg.Tests, Test{
			Name: server + "/" + file, Server: server, File: file, Every: 10 * time.Second, Timeout: 2 * time.Second,
			Target: probe.Target{Scheme: "tftp", Host: server, Port: 69, File: file},
		})
		cfg.Groups = append(cfg.Groups, health.Group{Rule: file, File: file, Servers: []string{server}})
	}
	now := start
	w, err := New(cfg, Deps{
		Now: func() time.Time { return now },
		Probe: func(_ context.Context, t probe.Target, o probe.Options) probe.Result {
			return probe.Result{Target: t.File, Available: true, Availability: 100, Response: 3 * time.Millisecond, FirstBlock: time.Millisecond, Size: 2735}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	step := func() {
		for {
			j := w.plan.take(now)
			if j == nil {
				now, _ = w.plan.next()
				continue
			}
			w.running++
			w.run(b.Context(), j.owner)
			return
		}
	}
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)*1000/1e9*100, "%cpu/10k-tests-at-10s")
	b.StopTimer()
	for range tests * keep {
		step()
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/tests, "B/test")
	b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB/10k-tests")
	runtime.KeepAlive(w)
}
