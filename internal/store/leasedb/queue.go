package leasedb

import (
	"sync"
	"time"

	"surefoot/internal/lease"
)

// item is one record on its way to the disk.
type item struct {
	record lease.Record
	done   func(error)
}

// queue is what waits, and the batch that is being written. Whoever takes an item out of it
// answers for it: that is how each is answered once.
type queue struct {
	wake chan struct{} // a token when there is something new
	max  int

	mu      sync.Mutex // guards what follows
	waiting []item
	spare   []item    // a slice to fill again
	writing []item    // nil: none, or taken away because it took too long
	since   time.Time // the beginning of writing
	refuse  error     // nothing is taken at present, and why
}

func newQueue(most int) *queue { return &queue{wake: make(chan struct{}, 1), max: most} }

// put takes an item, or says why not.
func (q *queue) put(it item) error {
	q.mu.Lock()
	err := q.refuse
	switch {
	case err != nil:
	case len(q.waiting)+len(q.writing) >= q.max:
		err = errBusy
	default:
		q.waiting = append(q.waiting, it)
	}
	first := err == nil && len(q.waiting) == 1
	q.mu.Unlock()
	if first {
		q.ring()
	}
	return err
}

func (q *queue) ring() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// begin makes what waits, up to most, the batch that is being written.
func (q *queue) begin(most int) []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	if n := min(most, len(q.waiting)); n < len(q.waiting) {
		q.writing, q.waiting = q.waiting[:n:n], q.waiting[n:]
	} else {
		q.writing, q.waiting, q.spare = q.waiting, q.spare, nil
	}
	q.since = time.Now()
	return q.writing
}

// end says that the batch is written, false if its callers have been answered already.
func (q *queue) end() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	ours := q.writing != nil
	q.writing = nil
	return ours
}

// recycle keeps a slice whose items are answered.
func (q *queue) recycle(batch []item) {
	clear(batch)
	q.mu.Lock()
	q.spare = batch[:0]
	q.mu.Unlock()
}

// shut refuses everything from now on. It returns what is not answered, in its order, and why
// things were refused before, if they were.
func (q *queue) shut(why error) ([]item, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.shutLocked(why)
}

func (q *queue) shutLocked(why error) ([]item, error) {
	was := q.refuse
	q.refuse = why
	out := append(q.writing, q.waiting...)
	q.writing, q.waiting, q.spare = nil, nil, nil
	return out, was
}

// closing takes no more, and leaves what waits.
func (q *queue) closing() {
	q.mu.Lock()
	q.refuse = errClosed
	q.mu.Unlock()
}

// overdue is shut, if the batch that is being written has been so for a time.
func (q *queue) overdue(limit time.Duration, why error) ([]item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.writing == nil || time.Since(q.since) < limit {
		return nil, false
	}
	out, _ := q.shutLocked(why)
	return out, true
}

// refused says why nothing is taken, nil if something is.
func (q *queue) refused() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.refuse
}

// open takes records again, and returns why it did not.
func (q *queue) open() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	was := q.refuse
	q.refuse = nil
	return was
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) + len(q.writing)
}
