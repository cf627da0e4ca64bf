package leasedb

import (
	"sync"

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
	spare   []item // a slice to fill again
	writing []item // nil: none, or taken away because it took too long
	refuse  error  // nothing is taken at present, and why
}

func newQueue(most int) *queue { return &queue{wake: make(chan struct{}, 1), max: most} }

// put takes an item, or says why not.
func (q *queue) put(it item) error {
	q.mu.Lock()
	err := q.refuse
	switch {
	case err != nil:
	case len(q.waiting)+len(q.writing) >= q.max:
		err = ErrBusy
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
	n := min(most, len(q.waiting))
	q.writing = append(q.spare[:0], q.waiting[:n]...)
	q.spare = nil
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	return q.writing
}

// end takes the batch back, false if its callers have been answered already.
func (q *queue) end() ([]item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := q.writing
	q.writing = nil
	return batch, batch != nil
}

// recycle keeps a slice whose items are answered.
func (q *queue) recycle(batch []item) {
	clear(batch)
	q.mu.Lock()
	q.spare = batch[:0]
	q.mu.Unlock()
}

// shut refuses everything from now on, and returns what is not answered, in its order.
func (q *queue) shut(why error) []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refuse = why
	out := append(q.writing, q.waiting...)
	q.writing, q.waiting, q.spare = nil, nil, nil
	return out
}

// open takes records again.
func (q *queue) open() {
	q.mu.Lock()
	q.refuse = nil
	q.mu.Unlock()
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) + len(q.writing)
}
