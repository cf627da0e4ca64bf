package tftp

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The heap against a sorted list: random alarms, moved and cleared, ring in the order of their
// time, each no later than the deadline that was set last.
func TestAlarms(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var a alarms
	all := make([]*transfer, 200)
	want := map[*transfer]time.Time{}
	at := func() time.Time { return epoch.Add(time.Duration(rnd.IntN(1000)) * time.Millisecond) }
	for i := range all {
		all[i] = &transfer{alarm: none}
	}
	for range 5000 {
		x := all[rnd.IntN(len(all))]
		if rnd.IntN(4) == 0 {
			a.clear(x)
			delete(want, x)
			continue
		}
		due := at()
		a.set(x, due)
		if was, ok := want[x]; !ok || due.Before(was) {
			want[x] = due // a later deadline leaves the alarm where it is
		}
	}
	var order []time.Time
	for _, due := range want {
		order = append(order, due)
	}
	slices.SortFunc(order, time.Time.Compare)
	for i, due := range order {
		if next, ok := a.next(); !ok || next != due {
			t.Fatalf("alarm %d: next is %v, want %v", i, next, due)
		}
		if x := a.ring(due.Add(-1)); x != nil {
			t.Fatalf("alarm %d rings too early", i)
		}
		x := a.ring(due)
		if x == nil || want[x] != due || x.alarm != none {
			t.Fatalf("alarm %d: %+v", i, x)
		}
		delete(want, x)
	}
	if _, ok := a.next(); ok || a.ring(at().Add(time.Hour)) != nil {
		t.Error("an alarm is left")
	}
}
