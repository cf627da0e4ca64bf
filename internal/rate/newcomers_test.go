package rate

import (
	"testing"
	"time"
)

// Invented machines of one port get what is open to it and no more; what was asked for counts no longer, and other
// ports are not touched.
func TestNewcomers(t *testing.T) {
	now := time.Unix(6000, 0)
	n := NewNewcomers[string](Rate{PerSecond: 1000, Burst: 1000}, 100)
	in := 0
	for range 50 {
		if n.Admit(now, "port", 10) {
			in++
		}
	}
	if in != 10 || n.Admit(now, "port", 10) || !n.Admit(now, "other", 10) {
		t.Errorf("%d let in", in)
	}
	n.Taken(now, "port")
	if !n.Admit(now, "port", 10) || n.Admit(now, "port", 10) {
		t.Error("one was asked for, which makes room for one")
	}
	if later := now.Add(2 * time.Minute); !n.Admit(later, "port", 10) {
		t.Error("two minutes later none is open any more")
	}
}

// Where nothing is counted the rate holds, and what is remembered is bounded.
func TestNewcomersOfAPlace(t *testing.T) {
	now := time.Unix(6000, 0)
	n := NewNewcomers[int](Rate{PerSecond: 10, Burst: 20}, 8)
	in := 0
	for range 1000 {
		if n.Admit(now, 1, 0) {
			in++
		}
	}
	for i := range 1000 {
		n.Admit(now, i, 5)
	}
	if in != 20 || len(n.counts) > 8 || n.fresh.Len() > 16 {
		t.Errorf("%d let in, %d and %d remembered", in, len(n.counts), n.fresh.Len())
	}
}
