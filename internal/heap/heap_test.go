package heap

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	p := Pace{Rest: 50, Every: 4 * time.Second, Room: 64 << 20}
	for _, c := range []struct {
		name    string
		percent int
		since   time.Duration
		live    uint64
		want    int
	}{
		{"rest", 50, 2 * time.Minute, 10 << 20, 50},
		{"a storm begins", 50, 200 * time.Millisecond, 10 << 20, 200},
		{"goes on", 100, 200 * time.Millisecond, 16 << 20, 400},
		{"is as often as it should be", 200, 4 * time.Second, 16 << 20, 200},
		{"is a little too often", 200, 3 * time.Second, 16 << 20, 266},
		{"has all the room", 400, 200 * time.Millisecond, 32 << 20, 200},
		{"a large heap has its own room", 50, 200 * time.Millisecond, 1 << 30, 50},
		{"a small heap has no more than the room", 1600, time.Millisecond, 1 << 20, 1600},
		{"is over", 200, 30 * time.Second, 32 << 20, 50},
		{"twice at once", 50, 0, 16 << 20, 200},
	} {
		if got := p.Next(c.percent, c.since, c.live); got != c.want {
			t.Errorf("%s: %d %%, want %d", c.name, got, c.want)
		}
	}
}

// Each collection is told of, not the first one only.
func TestKeep(t *testing.T) {
	was := debug.SetGCPercent(50)
	defer debug.SetGCPercent(was)
	Pace{Rest: 50, Every: time.Hour, Room: 1 << 40}.Keep()
	for deadline := time.Now().Add(time.Minute); percent() < 200; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d %% after a minute of collections", percent())
		}
		runtime.GC()
	}
}

func percent() uint64 {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
