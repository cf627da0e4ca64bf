package dhcp4

import (
	"encoding/binary"
	"sync"

	wire "surefoot/internal/wire/dhcp4"
)

// Where a frame has what tells packets apart, counted from the end of the IP header.
const (
	etherLen = 14
	xidAt    = 8 + 4
	giaddrAt = 8 + 24
	chaddrAt = 8 + 28
	typeAt   = 8 + 240 // option 53, if it is the first
)

// exchange is whose packet a frame is, and by which relay: a later one of the same makes an earlier one
// pointless.
type exchange struct{ xidRelay, mac uint64 }

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
	e.xidRelay = uint64(binary.BigEndian.Uint32(b[xidAt:]))<<32 | uint64(binary.BigEndian.Uint32(b[giaddrAt:]))
	e.mac = uint64(binary.BigEndian.Uint16(b[chaddrAt:]))<<32 | uint64(binary.BigEndian.Uint32(b[chaddrAt+2:]))
	return e, true
}

// begins reports whether a frame only begins an exchange: a DISCOVER, which costs its sender nothing
// to repeat. All else is the second half of one, or the word of a machine that has an address. Option 53 is
// looked for where clients write it, in front; where it is not, the frame counts as the more important.
func begins(frame []byte) bool {
	if len(frame) <= etherLen {
		return false
	}
	b := frame[etherLen:]
	n := int(b[0]&15)*4 + typeAt
	return len(b) > n+2 && b[n] == byte(wire.MessageTypeOption) && wire.MessageType(b[n+2]) == wire.Discover
}

// queue is the frames of an interface that wait: DISCOVERs and all others apart. Whoever has an offer comes
// before whoever wants one: when more comes than can be done, exchanges that began are finished, where
// otherwise offers would be made whose requests are lost. A quarter of the work is for DISCOVERs all the same.
type queue struct {
	wake chan struct{}

	mu            sync.Mutex // guards all below
	first, second ring       // DISCOVERs, and all others
	room          rooms
	closed        bool
}

// rooms are buffers that are free. The one that was used last is taken first: it is in the processor's cache.
type rooms [][]byte

// maxRooms is how many are kept when a long queue is over.
const maxRooms = 1024

// of copies a frame into a buffer.
func (r *rooms) of(frame []byte) []byte {
	var b []byte
	if n := len(*r); n > 0 {
		b, *r = (*r)[n-1], (*r)[:n-1]
	}
	return append(b[:0], frame...)
}

func (r *rooms) free(b []byte) {
	if cap(b) > 0 && len(*r) < maxRooms {
		*r = append(*r, b)
	}
}

// ring is frames in the order in which they came. When it is full the oldest is lost: its sender has likely
// given up on it. A frame of an exchange that waits already takes the other's place.
type ring struct {
	slots []slot
	old   uint64 // the number of the oldest that waits
	next  uint64 // the number that the next one gets
	at    map[exchange]uint64
}

type slot struct {
	b   []byte
	of  exchange
	has bool // it has an exchange
}

func newQueue(length int) *queue {
	return &queue{wake: make(chan struct{}, 1), first: newRing(length), second: newRing(length)}
}

func newRing(length int) ring { return ring{slots: make([]slot, length), at: map[exchange]uint64{}} }

// put adds frames, and returns how many were lost to make room.
func (q *queue) put(n int, frame func(int) []byte) (lost int) {
	q.mu.Lock()
	for i := range n {
		r, b := &q.second, frame(i)
		if begins(b) {
			r = &q.first
		}
		if r.add(b, &q.room) {
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

// take exchanges the frames that wait for the buffers in into, and returns how many; 0 if none waits. ok is
// false when the queue is closed and empty.
func (q *queue) take(into [][]byte) (n int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = q.second.take(into[:len(into)-min(len(into)/4, q.first.len())], &q.room)
	n += q.first.take(into[n:], &q.room)
	return n, n > 0 || !q.closed
}

// close makes take report the end once the queue is empty.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.ring()
}

func (r *ring) len() int { return int(r.next - r.old) }

func (r *ring) add(frame []byte, room *rooms) (lost bool) {
	e, ok := exchangeOf(frame)
	if ok {
		if n, waits := r.at[e]; waits {
			s := r.slot(n)
			s.b = append(s.b[:0], frame...)
			return false
		}
	}
	if r.len() == len(r.slots) {
		s := r.slot(r.old)
		r.forget(s)
		room.free(s.b)
		r.old++
		lost = true
	}
	s := r.slot(r.next)
	*s = slot{b: room.of(frame), of: e, has: ok}
	if ok {
		r.at[e] = r.next
	}
	r.next++
	return lost
}

func (r *ring) slot(n uint64) *slot { return &r.slots[n%uint64(len(r.slots))] }

func (r *ring) forget(s *slot) {
	if s.has {
		delete(r.at, s.of)
	}
}

func (r *ring) take(into [][]byte, room *rooms) (n int) {
	for n < len(into) && r.old < r.next {
		s := r.slot(r.old)
		r.forget(s)
		room.free(into[n])
		into[n], s.b = s.b, nil
		r.old++
		n++
	}
	return n
}
