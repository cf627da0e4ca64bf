package leasedb

import (
	"testing"
	"time"

	"surefoot/internal/lease"
)

func BenchmarkLoad(b *testing.B) {
	d, _, stop := start(b, Config{}, Deps{})
	fill(b, d)
	stop()
	for b.Loop() {
		at := time.Now()
		d, err := Open(b.Context(), Config{File: d.cfg.File}, Deps{})
		if err != nil {
			b.Fatal(err)
		}
		open := time.Since(at)
		n := 0
		if err := d.Load(b.Context(), func(lease.Record) { n++ }); err != nil || n != known {
			b.Fatalf("%d, %v", n, err)
		}
		b.ReportMetric(open.Seconds()*1000, "open-ms")
		b.ReportMetric((time.Since(at)-open).Seconds()*1000, "load-ms")
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
