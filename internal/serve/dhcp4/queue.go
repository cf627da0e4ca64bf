package dhcp4

import (
	"encoding/binary"
	"sync"
)

// Where a frame has what tells packets apart, counted from the end of the IP header.
const (
	etherLen = 14
	xidAt    = 8 + 4
	giaddrAt = 8 + 24
	chaddrAt = 8 + 28
)

// exchange is whose packet a frame is, and by which relay: a later one of the same makes an earlier one
// pointless.
type exchange struct {
	xid    uint32
	giaddr uint32
	mac    [6]byte
}

func exchangeOf(frame []byte) (e exchange, ok bool) {
	if len(frame) <= etherLen {
		return e, false
	}
	b := frame[etherLen:]
	n := int(b[0]&15) * 4
	if len(b) < n+chaddrAt+6 {
		return e, false
	}
	b = b[n:]
	e.xid, e.giaddr = binary.BigEndian.Uint32(b[xidAt:]), binary.BigEndian.Uint32(b[giaddrAt:])
	copy(e.mac[:], b[chaddrAt:])
	return e, true
}

// queue is the frames of an interface that wait. When it is full the oldest is lost: its sender has
// likely given up on it. A frame of an exchange that waits already takes the other's place.
type queue struct {
	wake chan struct{}

	mu     sync.Mutex // guards all below
	slots  []slot     // a ring
	first  uint64     // the number of the oldest that waits
	next   uint64     // the number that the next one gets
	at     map[exchange]uint64
	closed bool
}

type slot struct {
	b   []byte
	of  exchange
	has bool // it has an exchange
}

func newQueue(length int) *queue {
	return &queue{wake: make(chan struct{}, 1), slots: make([]slot, length), at: map[exchange]uint64{}}
}

// put adds frames, and returns how many were lost to make room.
func (q *queue) put(n int, frame func(int) []byte) (lost int) {
	q.mu.Lock()
	for i := range n {
		if q.add(frame(i)) {
			lost++
		}
	}
	q.mu.Unlock()
	q.ring()
	return lost
}

func (q *queue) ring() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) add(frame []byte) (lost bool) {
	e, ok := exchangeOf(frame)
	if ok {
		if n, waits := q.at[e]; waits {
			s := q.slot(n)
			s.b = append(s.b[:0], frame...)
			return false
		}
	}
	if q.next-q.first == uint64(len(q.slots)) {
		q.forget(q.slot(q.first))
		q.first++
		lost = true
	}
	s := q.slot(q.next)
	s.b, s.of, s.has = append(s.b[:0], frame...), e, ok
	if ok {
		q.at[e] = q.next
	}
	q.next++
	return lost
}

func (q *queue) slot(n uint64) *slot { return &q.slots[n%uint64(len(q.slots))] }

func (q *queue) forget(s *slot) {
	if s.has {
		delete(q.at, s.of)
	}
}

// take exchanges the frames that wait for the buffers in into, and returns how many; 0 if none waits. ok is
// false when the queue is closed and empty.
func (q *queue) take(into [][]byte) (n int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for n < len(into) && q.first < q.next {
		s := q.slot(q.first)
		q.forget(s)
		s.b, into[n] = into[n][:0], s.b
		q.first++
		n++
	}
	return n, n > 0 || !q.closed
}

// close makes take report the end once the queue is empty.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.ring()
}
