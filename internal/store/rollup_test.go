package store

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// TestBucket: what a bucket keeps of measurements, and that an unavailable run has no time (F36).
func TestBucket(t *testing.T) {
	ms := time.Millisecond
	good := func(d time.Duration) Measurement {
		return Measurement{Available: true, Response: d, FirstBlock: d / 10, Bytes: 100, Retransmits: 1}
	}
	bad := func(cause string) Measurement { return Measurement{Cause: cause, Bytes: 5} }
	for name, c := range map[string]struct {
		in              []Measurement
		runs, good      int
		availability    float64
		min, max, p50   time.Duration
		bytes, resent   int64
		cause           string
		anyTime, anyRun bool
	}{
		"nothing":    {},
		"one":        {in: []Measurement{good(20 * ms)}, runs: 1, good: 1, availability: 100, min: 20 * ms, max: 20 * ms, p50: 20 * ms, bytes: 100, resent: 1, anyTime: true, anyRun: true},
		"all failed": {in: []Measurement{bad("timeout"), bad("refused")}, runs: 2, bytes: 10, cause: "refused", anyRun: true},
		"a failure first": {
			in: []Measurement{bad("timeout"), good(30 * ms), good(10 * ms), good(20 * ms)}, runs: 4, good: 3, availability: 75,
			min: 10 * ms, max: 30 * ms, p50: 20 * ms, bytes: 305, resent: 3, cause: "timeout", anyTime: true, anyRun: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b Bucket
			for _, m := range c.in {
				b.Add(m)
			}
			a, anyRun := b.Availability()
			p50, anyTime := b.Quantile(.5)
			if anyRun != c.anyRun || anyTime != c.anyTime || a != c.availability || b.Runs != c.runs || b.Good != c.good || b.Min != c.min || b.Max != c.max ||
				b.Bytes != c.bytes || b.Retransmits != c.resent || b.Cause != c.cause || !near(p50, c.p50) {
				t.Errorf("%+v: availability %v %v, median %v %v", b, a, anyRun, p50, anyTime)
			}
		})
	}
}

func near(a, b time.Duration) bool { return math.Abs(float64(a-b)) <= .021*float64(b) }

// TestFold: an hour made of twelve buckets of five minutes says the same as one made of the
// measurements themselves, and steps begin at multiples of themselves.
func TestFold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	start := at("2026-11-25T10:00:00Z")
	var whole Bucket
	var fives []Bucket
	var all []time.Duration
	for m := range 60 * 6 {
		x := Measurement{At: start.Add(time.Duration(m) * 10 * time.Second), Available: rng.IntN(10) > 0}
		if x.Available {
			x.Response = time.Duration(rng.ExpFloat64() * float64(30*time.Millisecond))
			all = append(all, x.Response)
		} else {
			x.Cause = "timeout"
		}
		whole.Add(x)
		if f := Align(x.At, Five); len(fives) == 0 || !fives[len(fives)-1].Start.Equal(f) {
			fives = append(fives, Bucket{Start: f, Step: Five})
		}
		fives[len(fives)-1].Add(x)
	}
	hours := Fold(fives, Hour)
	if len(fives) != 12 || len(hours) != 1 || !hours[0].Start.Equal(start) {
		t.Fatalf("%d buckets of 5 minutes, %d of an hour", len(fives), len(hours))
	}
	h := hours[0]
	if h.Runs != whole.Runs || h.Good != whole.Good || h.Sum != whole.Sum || h.Min != whole.Min || h.Max != whole.Max || h.Cause != "timeout" ||
		!slices.Equal(h.Times, whole.Times) {
		t.Errorf("hour %+v\nwhole %+v", h, whole)
	}
	slices.Sort(all)
	for _, q := range []float64{.5, .95} {
		got, _ := h.Quantile(q)
		if want := all[int(math.Ceil(q*float64(len(all))))-1]; !near(got, want) {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

func TestAlign(t *testing.T) {
	for _, c := range []struct {
		in, want string
		step     time.Duration
	}{
		{"2026-11-25T10:04:59Z", "2026-11-25T10:00:00Z", Five},
		{"2026-11-25T10:05:00Z", "2026-11-25T10:05:00Z", Five},
		{"2026-11-25T10:59:00+01:00", "2026-11-25T09:00:00Z", Hour},
		{"1969-12-31T23:59:00Z", "1969-12-31T23:00:00Z", Hour},
	} {
		if got := Align(at(c.in), c.step); !got.Equal(at(c.want)) {
			t.Errorf("%s by %s: %s, want %s", c.in, c.step, got, c.want)
		}
	}
}

// TestSqueeze: the larger the level the less is kept, hours last, and never less than what a
// person needs, nor more than asked for.
func TestSqueeze(t *testing.T) {
	day := 24 * Hour
	full := NewAges(0, 0, 0)
	if want := (Ages{Raw: 2 * day, Diagnosis: 7 * day, Five: 14 * day, Story: 30 * day, Hour: 30 * day}); full != want || full.Squeeze(0) != want {
		t.Errorf("without a squeeze %+v", full.Squeeze(0))
	}
	if got, want := full.Squeeze(2), (Ages{Raw: 12 * Hour, Diagnosis: 42 * Hour, Story: 15 * day, Five: 14 * day, Hour: 30 * day}); got != want {
		t.Errorf("level 2 is %+v, want %+v", got, want)
	}
	if got, want := full.Squeeze(MaxSqueeze), (Ages{Raw: 2 * Hour, Diagnosis: 2 * Hour, Story: 12 * Hour, Five: 12 * Hour, Hour: day}); got != want {
		t.Errorf("the last level is %+v, want %+v", got, want)
	}
	if got := NewAges(0, 0, Hour).Squeeze(MaxSqueeze); got != NewAges(0, 0, Hour) || got.Raw != Hour {
		t.Errorf("of an hour %+v is left", got)
	}
	asked := NewAges(Hour, 3*day, 400*day)
	if want := (Ages{Raw: Hour, Diagnosis: 7 * day, Five: 3 * day, Story: 400 * day, Hour: 400 * day}); asked != want || asked.Squeeze(0) != want {
		t.Errorf("asked for %+v, kept %+v", asked, asked.Squeeze(0))
	}
	if got := NewAges(9*day, 5*day, 2*day); got.Raw != 2*day || got.Five != 2*day {
		t.Errorf("the finer is kept for longer than the coarser: %+v", got)
	}
}

func FuzzParseSketch(f *testing.F) {
	f.Add([]byte{1, 1, 5, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSketch(b)
		if err != nil {
			return
		}
		back, err := ParseSketch(s.Bytes())
		if err != nil || !slices.Equal(s, back) {
			t.Fatalf("%v becomes %v, %v", s, back, err)
		}
	})
}
