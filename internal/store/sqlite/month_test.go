package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"surefoot/internal/store"
	"surefoot/internal/store/storetest"
)

// BenchmarkMonth makes the history of 30 days of 100 tests at 10 s, 25.9 million measurements, as
// retention leaves it, and reports its size and the times of questions; docs/history.md has the
// figures. It takes a minute or two: SUREFOOT_BENCH_HISTORY=1.
func BenchmarkMonth(b *testing.B) {
	if os.Getenv("SUREFOOT_BENCH_HISTORY") == "" {
		b.Skip("SUREFOOT_BENCH_HISTORY is not set")
	}
	const tests, every, days = 100, 10 * time.Second, 30
	day := 24 * time.Hour
	end := storetest.Start().Add(days * day)
	file := filepath.Join(b.TempDir(), "history.db")
	d := New(Config{File: file}, Deps{Now: (&clock{t: end}).now})
	w, err := d.begin(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	rng := rand.New(rand.NewPCG(1, 1))
	n := 0
	for hour := range days * 24 {
		at := storetest.Start().Add(time.Duration(hour) * time.Hour)
		age := end.Sub(at)
		fives := make([]map[int64]*store.Bucket, 12)
		hours := map[int64]*store.Bucket{}
		var batch []item
		for i := range fives {
			fives[i] = map[int64]*store.Bucket{}
		}
		for k := range 3600 / 10 {
			for t := range tests {
				m := store.Measurement{
					Test: fmt.Sprintf("boot-%d", t), Server: fmt.Sprintf("pvs%d", t%10), File: "ARDBP32.BIN", At: at.Add(time.Duration(k)*every + time.Duration(t)*97*time.Millisecond),
					Available: rng.IntN(1000) > 0, Bytes: 60 << 10,
				}
				if m.Available {
					m.Response = time.Duration((20 + 3*rng.NormFloat64() + 30*rng.ExpFloat64()*float64(rng.IntN(20)/19)) * float64(time.Millisecond)).Abs()
					m.FirstBlock = m.Response / 10
				} else {
					m.Cause, m.Text = "no-answer", "nobody answers at 10.10.0.21:69 within 3 s"
				}
				n++
				id := int64(t + 1)
				start := store.Align(m.At, store.Five)
				bucketOf(fives[min(k*10/300, 11)], id, start, store.Five).Add(m)
				bucketOf(hours, id, at, store.Hour).Add(m)
				if age <= 2*day || hour == 0 && k == 0 {
					batch = append(batch, item{kind: kindMeasurement, value: m})
				}
			}
		}
		for ; len(batch) > 0; batch = batch[min(len(batch), 10_000):] {
			if err := w.commit(b.Context(), batch[:min(len(batch), 10_000)]); err != nil {
				b.Fatal(err)
			}
		}
		if age <= 14*day {
			for _, made := range fives {
				if err := w.tidy.put(b.Context(), "five", made, markFive, &w.tidy.five, at.Add(time.Hour)); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := w.tidy.put(b.Context(), "hour", hours, markHour, &w.tidy.hour, at.Add(time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
	w.tidy.known = true
	if err := w.tidyAll(b.Context()); err != nil {
		b.Fatal(err)
	}
	used, err := w.tidy.used(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d measurements made in %s", n, time.Since(began).Round(time.Second))
	for _, table := range []string{"raw", "five", "hour"} {
		rows, _, err := number(b.Context(), w.db, "SELECT count(*) FROM "+table)
		b.Logf("%-4s %8d rows (%v)", table, rows, err)
	}
	b.ReportMetric(float64(used)/(1<<20), "MiB")
	d.first.Do(func() { close(d.tried) })
	for _, q := range []struct {
		name        string
		span, step  time.Duration
		test        string
		wantBuckets int
	}{
		{"one test, 24 h by 5 min", day, store.Five, "boot-7", 288},
		{"one test, 24 h by 1 min", day, time.Minute, "boot-7", 1440},
		{"one test, 30 d by 1 h", 30 * day, time.Hour, "boot-7", 720},
		{"one test, 30 d by 6 h", 30 * day, 6 * time.Hour, "boot-7", 120},
		{"all tests, 24 h by 15 min", day, 15 * time.Minute, "", 96},
		{"all tests, 30 d by 12 h", 30 * day, 12 * time.Hour, "", 60},
	} {
		var best time.Duration
		for range 3 {
			at := time.Now()
			got, err := d.Series(context.Background(), store.Query{Name: q.test, Since: end.Add(-q.span), Until: end, Step: q.step})
			took := time.Since(at)
			if err != nil || len(got) == 0 || len(got[0].Buckets) != q.wantBuckets {
				b.Fatalf("%s: %v, %d series of %d steps", q.name, err, len(got), len(got[0].Buckets))
			}
			if best == 0 || took < best {
				best = took
			}
		}
		b.Logf("%-26s %s", q.name, best.Round(100*time.Microsecond))
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	w.close(b.Context())
	st, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("file %.1f MiB, used %.1f MiB", float64(st.Size())/(1<<20), float64(used)/(1<<20))
}

// BenchmarkCommit writes what 10,000 tests measure in a second at a period of 10 s.
func BenchmarkCommit(b *testing.B) {
	d := New(Config{File: filepath.Join(b.TempDir(), "history.db"), MaxSize: 8 << 30}, Deps{})
	w, err := d.begin(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer w.close(b.Context())
	batch := make([]item, 1000)
	i := 0
	for b.Loop() {
		for k := range batch {
			batch[k] = item{kind: kindMeasurement, value: store.Measurement{
				Test: fmt.Sprint("t", i%10_000), Server: "pvs1", File: "a.0", At: storetest.Start().Add(time.Duration(i) * time.Millisecond),
				Available: true, Response: 20 * time.Millisecond, Bytes: 60 << 10,
			}}
			i++
		}
		if err := w.commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}
