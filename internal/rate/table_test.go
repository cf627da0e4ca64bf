package rate

import (
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	k := NewTable(Rate{PerSecond: 10, Burst: 3}, 100)
	now := time.Unix(1000, 0)
	for i, want := range []bool{true, true, true, false} {
		if got := k.Take(now, 1); got != want {
			t.Errorf("take %d: %t", i, got)
		}
	}
	if !k.Take(now, 0) {
		t.Error("another key has a bucket of its own")
	}
	for range 9 { // pieces of a token add up
		now = now.Add(11 * time.Millisecond)
	}
	if now = now.Add(time.Millisecond); !k.Take(now, 1) || k.Take(now, 1) {
		t.Error("a tenth of a second brings one token of ten a second")
	}
	if now = now.Add(-time.Hour); !k.Take(now, 1) {
		t.Error("a clock that was put back shuts a machine out")
	}
}

// Every key of a full table has its own bucket, but for those that chance put more than four of in one line.
func TestTableRemembers(t *testing.T) {
	const keys = 50_000
	k := NewTable(Rate{PerSecond: 1, Burst: 1}, 2*keys)
	now := time.Unix(1000, 0)
	for i := range uint64(keys) {
		if !k.Take(now, i<<8) {
			t.Fatalf("key %d was refused its first", i)
		}
	}
	forgot := 0
	for i := range uint64(keys) {
		if k.Take(now, i<<8) {
			forgot++
		}
	}
	if forgot > keys/20 {
		t.Errorf("%d of %d were forgotten", forgot, keys)
	}
}

// A flood of invented keys lets nobody off that keeps asking.
func TestTableFlood(t *testing.T) {
	k := NewTable(Rate{PerSecond: 1, Burst: 2}, 100)
	now := time.Unix(1000, 0)
	k.Take(now, 1)
	k.Take(now, 1)
	n := len(k.lines)
	for i := range uint64(10_000) {
		now = now.Add(10 * time.Microsecond)
		k.Take(now, 2+i)
		if i%2 == 0 && k.Take(now, 1) {
			t.Fatalf("after %d other keys the bucket was full again", i)
		}
	}
	if len(k.lines) != n || n*ways < 100 || n*ways > 200 {
		t.Errorf("%d lines, then %d", n, len(k.lines))
	}
}

func BenchmarkTable(b *testing.B) {
	k, now := NewTable(Rate{PerSecond: 5, Burst: 20}, 131_072), time.Unix(1000, 0)
	for i := range b.N {
		k.Take(now, mix(uint64(i%60_000))>>16)
	}
}

func BenchmarkKeyed(b *testing.B) {
	k, now := NewKeyed[uint64](Rate{PerSecond: 5, Burst: 20}, 65_536), time.Unix(1000, 0)
	for i := range b.N {
		k.Take(now, mix(uint64(i%60_000))>>16)
	}
}
