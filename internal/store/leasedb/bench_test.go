package leasedb

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/store/leasetest"
)

// known is how many leases the file has before the measurement.
const known = 200_000

func fill(b *testing.B, d *DB) {
	var all sync.WaitGroup
	room := make(chan struct{}, 8192)
	for i := range known {
		all.Add(1)
		room <- struct{}{}
		d.Keep(leasetest.Record(i, 1), func(err error) {
			if err != nil {
				b.Error(err)
			}
			<-room
			all.Done()
		})
	}
	all.Wait()
}

// BenchmarkKeep changes leases in no order, with some under way at any time.
func BenchmarkKeep(b *testing.B) {
	d, log, _ := start(b, Config{}, Deps{})
	fill(b, d)
	serial := uint64(1)
	for _, inFlight := range []int{1, 64, 256, 1024} {
		b.Run(fmt.Sprint(inFlight), func(b *testing.B) {
			took := make([]time.Duration, b.N)
			var all sync.WaitGroup
			room := make(chan struct{}, inFlight)
			rec := leasetest.Record(0, 1)
			commits, used, began := d.Stats().Commits, cpu(), time.Now()
			moves, moving := d.Stats().Moves, d.Stats().Moving
			for i := range b.N {
				room <- struct{}{}
				all.Add(1)
				serial++
				n := rand.IntN(known)
				r := rec
				r.Addr, r.Serial = leasetest.Addr(n), serial
				r.Start = r.Start.Add(time.Duration(i) * time.Second)
				at := time.Now()
				d.Keep(r, func(err error) {
					if err != nil {
						b.Error(err)
					}
					took[i] = time.Since(at)
					<-room
					all.Done()
				})
			}
			all.Wait()
			wall := time.Since(began)
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/wall.Seconds(), "records/s")
			b.ReportMetric(float64((cpu()-used).Nanoseconds())/1000/float64(b.N), "cpu-µs/record")
			b.ReportMetric(float64(d.Stats().Commits-commits)/wall.Seconds(), "fsyncs/s")
			b.ReportMetric(float64(took[b.N/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[b.N*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(took[b.N-1].Microseconds())/1000, "max-ms")
			if n := d.Stats().Moves - moves; n > 0 {
				b.ReportMetric(float64((d.Stats().Moving-moving).Milliseconds())/float64(n), "ms/move")
			}
		})
	}
	if b.Failed() {
		b.Log(log)
	}
}

func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
