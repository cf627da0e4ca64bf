package watch

import (
	"container/heap"
	"hash/fnv"
	"time"
)

// job is one test as the planner sees it. Every job has a time of its own within the period, so
// that many of them spread over it, and nodes do not test in step; around that time each run is
// moved a little, so that no test keeps step with anything else that happens every so often.
type job struct {
	seed  uint64
	every time.Duration
	epoch time.Time // periods are counted from here: with Go's monotonic clock, a step of the wall clock moves nothing
	owner *entry

	at    time.Time // when it is due next
	index int       // in the heap; -1: not planned
}

func newJob(name string, every time.Duration, epoch time.Time) job {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return job{seed: mix(h.Sum64()), every: every, epoch: epoch, index: -1}
}

// mix spreads the bits of a number (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// after is when the job is due in the period that follows the one of t. Runs are between nine and
// eleven tenths of the period apart.
func (j *job) after(t time.Time) time.Time {
	offset := time.Duration(j.seed % uint64(j.every))
	period := (t.Sub(j.epoch) + j.every - offset) / j.every // the next one; 0 begins at the offset
	shift := time.Duration(mix(j.seed^uint64(period)) % uint64(max(j.every/10, 1)))
	return j.epoch.Add(offset + period*j.every + shift)
}

// again is when the job is due after a run that began at start and ended now. In doubt it is
// repeated after half the period: a server that died is found out in time, and one lost packet is
// made up for.
func (j *job) again(start, now time.Time, doubt bool) time.Time {
	next := j.after(start)
	if doubt {
		next = start.Add(j.every / 2)
	}
	if next.Before(now) {
		if doubt {
			return now
		}
		return j.after(now) // what could not be done in time is left out, not made up for
	}
	return next
}

// plan is when which job is due: a heap by time. It knows no clock.
type plan struct{ jobs jobHeap }

// put plans a job.
func (p *plan) put(j *job, at time.Time) {
	j.at = at
	heap.Push(&p.jobs, j)
}

// next says when the first job is due; false: there is none.
func (p *plan) next() (time.Time, bool) {
	if len(p.jobs) == 0 {
		return time.Time{}, false
	}
	return p.jobs[0].at, true
}

// take removes and returns a job that is due, nil if there is none. It is planned again when it has
// run, so that no test runs twice at the same time.
func (p *plan) take(now time.Time) *job {
	if len(p.jobs) == 0 || p.jobs[0].at.After(now) {
		return nil
	}
	return heap.Pop(&p.jobs).(*job)
}

type jobHeap []*job

func (h jobHeap) Len() int           { return len(h) }
func (h jobHeap) Less(i, k int) bool { return h[i].at.Before(h[k].at) }
func (h jobHeap) Swap(i, k int) {
	h[i], h[k] = h[k], h[i]
	h[i].index, h[k].index = i, k
}

func (h *jobHeap) Push(x any) {
	j := x.(*job)
	j.index = len(*h)
	*h = append(*h, j)
}

func (h *jobHeap) Pop() any {
	old := *h
	j := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	j.index = -1
	return j
}
