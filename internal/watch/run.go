package watch

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"surefoot/internal/probe"
)

// Prober is a download, as package probe does it.
type Prober func(context.Context, probe.Target, probe.Options) probe.Result

// Opened is told of a probe's socket.
type Opened func(local, server netip.AddrPort) (closed func())

// idle is how long the loop waits where there is nothing to test.
const idle = time.Hour

// Run tests until ctx ends.
func (w *Watcher) Run(ctx context.Context, ready func()) error {
	w.loadDrains(ctx)
	w.Refresh()
	if ready != nil {
		ready()
	}
	var probes sync.WaitGroup
	defer probes.Wait()
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		timer.Reset(w.begin(ctx, &probes))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-w.wake:
		}
	}
}

// begin starts what is due and returns how long to wait.
func (w *Watcher) begin(ctx context.Context, probes *sync.WaitGroup) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.deps.Now()
	w.sleeping = time.Time{}
	for w.running < w.limit {
		j := w.plan.take(now)
		if j == nil {
			break
		}
		late := now.Sub(j.at)
		w.late.Store(int64(late))
		if late > j.every/10 {
			w.lateStarts.Add(1)
		}
		e := j.owner
		e.running = true
		w.running++
		probes.Go(func() { w.run(ctx, e) })
	}
	next, any := w.plan.next()
	if w.running >= w.limit || !any {
		next = now.Add(idle) // the end of a download wakes the loop
	}
	w.sleeping = next
	return max(next.Sub(now), 0)
}

// rouse makes the loop look again. The caller holds the lock.
func (w *Watcher) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// options are those of a test's download.
func (w *Watcher) options(t *Test) probe.Options {
	o := probe.Options{
		As: t.As, Timeout: t.Timeout, MaxTime: max(3*t.Every, leastTime), Resend: max(t.Timeout/4, 50*time.Millisecond),
		Contains: t.Contains, SHA256: t.SHA256, Opened: w.deps.Opened,
	}
	if t.Through.Backend.IsValid() {
		through := t.Through
		o.Through = &through
	}
	return o
}

// leastTime is what every download may take as a whole: a slow link is no dead server.
const leastTime = 30 * time.Second

// run does one download and works on its result.
func (w *Watcher) run(ctx context.Context, e *entry) {
	start := w.deps.Now()
	o := w.options(&e.test)
	ifGood, ifBad := w.wantsWhole(e)
	o.Traced = func(came bool) bool { return came && ifGood || !came && ifBad }
	if o.Room, _ = w.rooms.Get().(*probe.Room); o.Room == nil {
		o.Room = &probe.Room{}
	}
	res := w.deps.Probe(ctx, e.test.Target, o)
	w.rooms.Put(o.Room)
	now := w.deps.Now()
	if res.Fault != nil && res.Fault.Code == probe.Interrupted {
		w.mu.Lock() // we are being stopped: it says nothing of the server
		w.running--
		e.running = false
		w.mu.Unlock()
		return
	}
	out := newResult(&e.test, start, &res)
	w.count(e, &res)
	if res.Fault == nil && ifGood || res.Fault != nil && ifBad {
		out.Diagnosis = diagnose(e.test.Target, &res, now)
	}
	change := w.take(e, start, now, out)
	if w.deps.Sink != nil {
		w.deps.Sink.Result(out)
	}
	if change != nil {
		w.tell(*change)
	}
}

// take notes a result, and returns the change that it makes.
func (w *Watcher) take(e *entry, start, now time.Time, out Result) *Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	e.running = false
	var change *Change
	w.compare(e, &out)
	e.note(out)
	if out.Verdict {
		change = e.step(now, out, w.cfg.Health)
	}
	if w.tests[e.test.Name] == e { // else a reload took it away meanwhile
		at := e.again(start, now, e.state.Doubt())
		w.plan.put(&e.job, at)
		if w.running+1 >= w.limit || at.Before(w.sleeping) {
			w.rouse()
		}
		if change != nil {
			w.changed(now)
		}
	} else {
		change = nil
		w.rouse()
	}
	w.publishTo(out)
	return change
}
