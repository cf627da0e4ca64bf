package watch

import (
	"fmt"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestPlanSpreads: the first runs of many tests are spread over the period, and no second of it has
// far more than its share.
func TestPlanSpreads(t *testing.T) {
	const tests, period = 10000, 10 * time.Second
	perSecond := map[int]int{}
	for i := range tests {
		j := newJob(fmt.Sprintf("server%d/file", i), period, start)
		wait := j.after(start).Sub(start)
		if wait <= 0 || wait > period+period/10 {
			t.Fatalf("the first run comes after %s", wait)
		}
		perSecond[int(wait/time.Second)]++
	}
	for s := 1; s < 10; s++ { // some of the first second's are moved behind the last
		if n := perSecond[s]; n < 700 || n > 1300 {
			t.Errorf("%d first runs in second %d, want about 1000", n, s)
		}
	}
	a, b := newJob("x by boot1", period, start), newJob("x by boot2", period, start)
	if a.after(start).Equal(b.after(start)) {
		t.Error("two nodes test in step")
	}
}

// TestPlanKeepsThePeriod: runs are between nine and eleven tenths of the period apart, and do not
// drift.
func TestPlanKeepsThePeriod(t *testing.T) {
	const period = 10 * time.Second
	j := newJob("a", period, start)
	at := j.after(start)
	first := at
	seen := map[time.Duration]bool{}
	for range 1000 {
		next := j.again(at, at.Add(50*time.Millisecond), false)
		gap := next.Sub(at)
		if gap < period*9/10 || gap > period*11/10 {
			t.Fatalf("%s from one run to the next", gap)
		}
		seen[gap] = true
		at = next
	}
	if drift := at.Sub(first) - 1000*period; drift.Abs() > period/10 {
		t.Errorf("in 1000 runs it drifts by %s", drift)
	}
	if len(seen) < 100 {
		t.Errorf("only %d different gaps: it keeps step", len(seen))
	}
}

func TestPlanInDoubt(t *testing.T) {
	const period = 10 * time.Second
	j := newJob("a", period, start)
	at := j.after(start)
	if got := j.again(at, at.Add(2*time.Second), true).Sub(at); got != period/2 {
		t.Errorf("in doubt it runs again after %s", got)
	}
	if got := j.again(at, at.Add(7*time.Second), true).Sub(at); got != 7*time.Second {
		t.Errorf("after a run that took longer than that, after %s", got)
	}
	late := at.Add(35 * time.Second)
	if got := j.again(at, late, false); got.Before(late) || got.After(late.Add(period*11/10)) {
		t.Errorf("after a run of 35 s it runs again after %s: what is missed is not made up for", got.Sub(late))
	}
}

// TestPlanOrder: what is due comes in the order of time, and nothing comes before its time.
func TestPlanOrder(t *testing.T) {
	var p plan
	if _, any := p.next(); any || p.take(start) != nil {
		t.Error("an empty plan has something due")
	}
	for i := range 500 {
		j := newJob(fmt.Sprint(i), time.Minute, start)
		p.put(&j, j.after(start))
	}
	taken, last := 0, start
	for {
		at, any := p.next()
		if !any {
			break
		}
		if p.take(at.Add(-1)) != nil {
			t.Fatal("a job is taken before its time")
		}
		j := p.take(at)
		if j == nil || j.at.Before(last) || j.index != -1 {
			t.Fatalf("%+v after %s", j, last)
		}
		last = j.at
		taken++
	}
	if taken != 500 {
		t.Errorf("%d jobs taken", taken)
	}
}

// TestBoundOfDetection: whenever a server dies, the last of the bad downloads that bring it down
// has ended within every*down_after + 1 s, be it silent for the whole time-out.
func TestBoundOfDetection(t *testing.T) {
	for _, c := range []struct {
		every, timeout time.Duration
		after          int
	}{
		{10 * time.Second, 2 * time.Second, 3},
		{10 * time.Second, 2 * time.Second, 2},
		{time.Second, 500 * time.Millisecond, 3},
		{5 * time.Second, 2 * time.Second, 5},
		{time.Minute, 2 * time.Second, 2},
	} {
		worst := time.Duration(0)
		for i := range 2000 {
			j := newJob(fmt.Sprint(i), c.every, start)
			at := j.after(start)
			died := at.Add(time.Millisecond) // the run before was good
			at = j.again(at, died, false)
			for n := 1; ; n++ {
				end := at.Add(c.timeout)
				if n == c.after {
					worst = max(worst, end.Sub(died))
					break
				}
				at = j.again(at, end, true)
			}
		}
		if bound := c.every*time.Duration(c.after) + time.Second; worst > bound {
			t.Errorf("every %s, timeout %s, down after %d: found out after %s at the latest, more than %s", c.every, c.timeout, c.after, worst, bound)
		}
	}
}
