package sqlite

import (
	"context"
	"fmt"
	"testing"
	"time"

	"surefoot/internal/store"
	"surefoot/internal/store/storetest"
)

// TestAges: after forty days there are single measurements of two, five minutes of fourteen, and
// hours of thirty, or of as long as was asked for; and a question across all of them counts every
// run once.
func TestAges(t *testing.T) {
	day := 24 * time.Hour
	t.Run("usual", func(t *testing.T) {
		ages(t, Config{}, map[string]time.Duration{"raw": 2 * day, "five": 14 * day, "hour": 30 * day}, 40*day)
	})
	t.Run("asked for", func(t *testing.T) {
		ages(t, Config{Raw: 6 * time.Hour, Five: 3 * day, Keep: 5 * day}, map[string]time.Duration{"raw": 6 * time.Hour, "five": 3 * day, "hour": 5 * day}, 8*day)
	})
}

func ages(t *testing.T, cfg Config, ages map[string]time.Duration, span time.Duration) {
	c := &clock{t: storetest.Start()}
	d, _, _ := start(t, cfg, c.now)
	const every = 30 * time.Minute
	for i := range int(span / every) {
		m := measured(0, 0)
		m.At = storetest.Start().Add(time.Duration(i) * every)
		d.Measure(m)
		if i%500 == 499 {
			c.set(m.At)
			if err := (tidied{d}).Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	end := storetest.Start().Add(span)
	c.set(end.Add(time.Minute))
	if err := (tidied{d}).Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := d.reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for table, kept := range ages {
		oldest, _, err := number(t.Context(), db, "SELECT min(at) FROM "+table)
		if want := end.Add(-kept).UnixMilli(); err != nil || oldest != want {
			t.Errorf("the oldest of %s is %s, want %s (%v)", table, time.UnixMilli(oldest).UTC(), time.UnixMilli(want).UTC(), err)
		}
	}
	const day = 24 * time.Hour
	asked := ages["hour"] - day
	for _, step := range []time.Duration{store.Five, time.Hour, day} {
		got, err := d.Series(t.Context(), store.Query{Name: "t0", Since: end.Add(-asked), Until: end, Step: step})
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		runs := 0
		for _, b := range got[0].Buckets {
			runs += b.Runs
		}
		if want := int(asked / every); runs != want {
			t.Errorf("step %s: %d runs in %s, want %d", step, runs, asked, want)
		}
	}
}

// TestLate: a measurement that comes after its five minutes have become a bucket is counted.
func TestLate(t *testing.T) {
	c := &clock{t: storetest.Start().Add(2 * time.Hour)}
	d, _, _ := start(t, Config{}, c.now)
	runs := func(step time.Duration) (n int) {
		if err := (tidied{d}).Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := d.Series(t.Context(), store.Query{Since: storetest.Start(), Until: storetest.Start().Add(3 * time.Hour), Step: step})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range got {
			for _, b := range s.Buckets {
				n += b.Runs
			}
		}
		return n
	}
	for i := range 600 {
		d.Measure(measured(i, 0))
	}
	if n := runs(time.Hour); n != 600 {
		t.Fatalf("%d runs", n)
	}
	m := measured(100, 0)
	m.At = m.At.Add(7 * time.Millisecond)
	d.Measure(m)
	for _, step := range []time.Duration{time.Minute, store.Five, time.Hour} {
		if n := runs(step); n != 601 {
			t.Errorf("step %s: %d runs, want 601", step, n)
		}
	}
}

// TestSize: whatever comes, the file stays within its size, and says that it keeps less.
func TestSize(t *testing.T) {
	c := &clock{t: storetest.Start()}
	d, log, _ := start(t, Config{MaxSize: 4 << 20}, c.now)
	for hour := range 14 {
		for i := range 2400 {
			m := measured(0, i%40)
			m.At = storetest.Start().Add(time.Duration(hour)*time.Hour + time.Duration(i)*1500*time.Millisecond)
			m.Available, m.Text = false, fmt.Sprintf("%d: %080d", i, i)
			d.Measure(m)
		}
		c.set(storetest.Start().Add(time.Duration(hour+1) * time.Hour))
		if err := (tidied{d}).Sync(t.Context()); err != nil {
			t.Fatalf("hour %d: %v", hour, err)
		}
		r := d.Room()
		if r.Used > 4<<20 {
			t.Fatalf("hour %d: %d bytes of %d", hour, r.Used, 4<<20)
		}
	}
	if r := d.Room(); !r.Squeezed || r.Kept.Raw >= 48*time.Hour || r.Kept.Hour != 30*24*time.Hour {
		t.Errorf("kept is %s\n%s", r, log)
	}
	got, err := d.Series(context.Background(), store.Query{Name: "t0", Since: storetest.Start(), Until: storetest.Start().Add(14 * time.Hour), Step: time.Hour})
	if err != nil || len(got) != 1 || len(got[0].Buckets) != 14 {
		t.Errorf("the hours are not all there: %v %v", got, err)
	}
}
