package rate

import (
	"testing"
	"time"
)

func TestKeyed(t *testing.T) {
	k := NewKeyed[int](Rate{PerSecond: 10, Burst: 3}, 100)
	now := time.Unix(1000, 0)
	for i, want := range []bool{true, true, true, false} {
		if got := k.Take(now, 1); got != want {
			t.Errorf("take %d: %t", i, got)
		}
	}
	if !k.Take(now, 2) {
		t.Error("another key has a bucket of its own")
	}
	now = now.Add(100 * time.Millisecond)
	if !k.Take(now, 1) || k.Take(now, 1) {
		t.Error("a tenth of a second brings one token of ten a second")
	}
}

// A flood of invented keys is bounded, and one that keeps asking is not let off by it.
func TestKeyedIsBounded(t *testing.T) {
	k := NewKeyed[int](Rate{PerSecond: 1, Burst: 2}, 100)
	now := time.Unix(1000, 0)
	k.Take(now, -1)
	k.Take(now, -1)
	for i := range 10_000 {
		k.Take(now, i)
		if i%50 == 0 && k.Take(now, -1) {
			t.Fatalf("after %d other keys the bucket was full again", i)
		}
	}
	if n := k.Len(); n > 200 {
		t.Errorf("%d keys are remembered", n)
	}
}

// A clock that is put back shuts nobody out until it is where it was.
func TestClockPutBack(t *testing.T) {
	var b Bucket
	r := Rate{PerSecond: 1, Burst: 1}
	now := time.Unix(100_000, 0)
	if !b.Take(now, r) || b.Take(now, r) {
		t.Fatal("one token at a time")
	}
	now = now.Add(-time.Hour)
	b.Take(now, r)
	if !b.Take(now.Add(2*time.Second), r) {
		t.Error("no token two seconds after the clock was put back")
	}
}
