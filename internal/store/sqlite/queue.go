package sqlite

import (
	"slices"
	"sync"
)

// kind is what a record is; the label of what is lost.
type kind int

const (
	kindMeasurement kind = iota
	kindChange
	kindStory
	kindAlert
	kindSaveSilence
	kindRemoveSilence
	kindSync
	kinds
)

// names of the kinds that can be lost; the others have somebody who waits and is told.
var kindNames = [...]string{kindMeasurement: "measurement", kindChange: "change", kindStory: "story", kindAlert: "alert"}

// item is one record on its way to the disk.
type item struct {
	kind  kind
	value any
	cost  int64
	done  chan error // somebody waits for the commit; nil: nobody does
}

// queue is bounded by bytes: a story is a hundred times a measurement.
type queue struct {
	wake chan struct{} // a token when there is something new

	mu     sync.Mutex // guards what follows
	items  []item
	cost   int64
	max    int64
	urgent bool // somebody waits for a commit
}

func newQueue(limit int64) *queue { return &queue{wake: make(chan struct{}, 1), max: limit} }

// put takes an item if it fits.
func (q *queue) put(it item) bool {
	q.mu.Lock()
	fits := q.cost+it.cost <= q.max
	if fits {
		q.items = append(q.items, it)
		q.cost += it.cost
		q.urgent = q.urgent || it.done != nil
	}
	q.mu.Unlock()
	if fits {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return fits
}

// peek returns the first items, up to a cost, and leaves them in the queue: they hold their
// places until they are on disk.
func (q *queue) peek(most int64) []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	var cost int64
	n := 0
	for ; n < len(q.items) && (n == 0 || cost+q.items[n].cost <= most); n++ {
		cost += q.items[n].cost
	}
	return slices.Clone(q.items[:n])
}

// drop removes the first n items.
func (q *queue) drop(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.items[:n] {
		q.cost -= q.items[i].cost
		q.items[i] = item{} // its memory may go
	}
	q.items = q.items[n:]
	q.urgent = false
	for i := range q.items {
		q.urgent = q.urgent || q.items[i].done != nil
	}
	if len(q.items) == 0 {
		q.items = nil
	}
}

// waits reports what is in the queue.
func (q *queue) waits() (n int, cost int64, urgent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items), q.cost, q.urgent
}

// fail answers everybody who waits, and leaves those items out from now on.
func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	kept := q.items[:0]
	for _, it := range q.items {
		if it.done == nil {
			kept = append(kept, it)
			continue
		}
		it.done <- err
		q.cost -= it.cost
	}
	clear(q.items[len(kept):])
	q.items, q.urgent = kept, false
}
