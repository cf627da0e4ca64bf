package watch

import (
	"time"

	"surefoot/internal/health"
	"surefoot/internal/probe"
)

// entry is everything that is known of one test. The Watcher's lock guards it.
type entry struct {
	job
	test    Test
	running bool
	state   health.State
	last    *Result
	ring    ring

	goodRuns int64 // since the start
	badRuns  int64
	inRow    int                  // bad ones in a row
	faults   map[probe.Code]int64 // since the start
	repeats  int64                // packets sent again since the start
	good     *Diagnosed           // the last of each kind
	bad      *Diagnosed
}

// wantsWhole reports whether the next run is one to keep whole, if it is good and if it is not.
func (w *Watcher) wantsWhole(e *entry) (ifGood, ifBad bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return every(w.cfg.Diagnose.Normal, e.goodRuns+1), every(w.cfg.Diagnose.Abnormal, int64(e.inRow)+1)
}

// count counts a run.
func (w *Watcher) count(e *entry, res *probe.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.repeats += int64(res.Retransmits)
	if res.Fault == nil {
		e.goodRuns++
		e.inRow = 0
		return
	}
	e.badRuns++
	e.inRow++
	if e.faults == nil {
		e.faults = map[probe.Code]int64{}
	}
	e.faults[res.Fault.Code]++
}

// every reports whether the i-th run is one of every n, of which the first is one.
func every(n int, i int64) bool { return n > 0 && (i-1)%int64(n) == 0 }

// note keeps a result.
func (e *entry) note(r Result) {
	if d := r.Diagnosis; d != nil {
		if r.Good() {
			e.good = d
		} else {
			e.bad = d
		}
	}
	e.ring.add(pack(&r))
	r.Diagnosis = nil
	e.last = &r
}

// step tells the machine, and returns the change that comes of it.
func (e *entry) step(now time.Time, r Result, set health.Settings) *Change {
	next, c := e.state.Step(now, health.Result{Good: r.Good(), Cause: r.Cause}, set)
	e.state = next
	if c == nil {
		return nil
	}
	return &Change{
		Time: c.Time, Test: e.test.Name, Server: e.test.Server, File: e.test.File, By: e.test.By,
		From: c.From, To: c.To, Reason: c.Reason, Text: c.Text,
	}
}
