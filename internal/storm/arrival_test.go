package storm

import (
	"testing"
	"time"
)

func TestParseArrival(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		a, err := ParseArrival(in)
		if err != nil || a.String() != want {
			t.Errorf("%q: %s, %v; want %s", in, a, err, want)
			return
		}
		if again, err := ParseArrival(a.String()); err != nil || again != a {
			t.Errorf("%q does not come back: %v, %v", a, again, err)
		}
	}
	f("all", "all")
	f("uniform 30s", "uniform 30s")
	f("uniform=1m", "uniform 1m0s")
	f(" curve:1500ms ", "curve 1.5s")
	f("rate 50/s", "rate 50/s")
	f("rate 0.5", "rate 0.5/s")
	for _, bad := range []string{"", "all 3s", "curve", "curve -1s", "curve 0s", "uniform fast", "rate", "rate 0/s", "rate -1", "rate NaN", "rate +Inf", "burst 3s"} {
		if a, err := ParseArrival(bad); err == nil {
			t.Errorf("%q is taken as %s", bad, a)
		}
	}
}

func TestArrivalAt(t *testing.T) {
	f := func(arrive string, i, n int, want time.Duration) {
		t.Helper()
		a, err := ParseArrival(arrive)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.At(i, n); got != want {
			t.Errorf("%s: download %d of %d clients at %s, want %s", arrive, i, n, got, want)
		}
	}
	f("all", 0, 100, 0)
	f("all", 99, 100, 0)
	f("uniform 10s", 0, 11, 0)
	f("uniform 10s", 1, 11, time.Second)
	f("uniform 10s", 10, 11, 10*time.Second)
	f("uniform 10s", 11, 11, 0) // as soon as a client is free
	f("uniform 10s", 0, 1, 0)
	f("curve 8s", 0, 5, 0)
	f("curve 8s", 1, 5, 2*time.Second) // a quarter of them at the peak, a quarter of the time
	f("curve 8s", 4, 5, 8*time.Second)
	f("rate 4/s", 0, 2, 0)
	f("rate 4/s", 1, 2, 250*time.Millisecond)
	f("rate 4/s", 400, 2, 100*time.Second)
}

func TestArrivalNeverGoesBack(t *testing.T) {
	const n = 1000
	for _, s := range []string{"all", "uniform 7s", "curve 7s", "rate 123/s"} {
		a, err := ParseArrival(s)
		if err != nil {
			t.Fatal(err)
		}
		half := 0
		for i := 1; i < n; i++ {
			if a.At(i, n) < a.At(i-1, n) {
				t.Errorf("%s: download %d before %d", s, i, i-1)
			}
			if a.At(i, n) <= 3500*time.Millisecond {
				half = i
			}
		}
		if s == "curve 7s" && (half < 600 || half > 700) {
			t.Errorf("%d of %d ask in the first half of the curve", half, n)
		}
	}
}
