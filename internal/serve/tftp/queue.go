package tftp

import (
	"time"

	"surefoot/internal/boot"
)

// The queue of a registry: requests that wait for a place. It is fair: client addresses take
// turns, whatever each of them has asked for, and among those of one address the first comes first.
// A client that repeats its request meanwhile keeps its place, and one place is all it has.

// queue lets a transfer wait, or says that it may not: the queue is full, or this address has half
// of it. A thousand machines behind a NAT are one address, too. r.mu is held.
func (r *registry) queue(t *transfer, s *source) bool {
	if r.waiting >= r.limits.Queue || s.waiting.Len() >= max(16, r.limits.Queue/2) {
		return false
	}
	r.waiting++
	t.account, t.place = s, s.waiting.PushBack(t)
	t.queued = true
	if s.turn == nil {
		s.turn = r.ring.PushBack(s)
	}
	return true
}

// unqueue takes a transfer out of the queue. r.mu is held.
func (r *registry) unqueue(t *transfer) {
	s := t.account
	r.waiting--
	s.waiting.Remove(t.place)
	t.account, t.place, t.queued = nil, nil, false
	if s.waiting.Len() == 0 {
		r.ring.Remove(s.turn)
		s.turn = nil
	}
	r.settle(s)
}

// dispatch gives free places to those whose turn it is, and tells their loops. An address that is
// at a limit of its own loses its turn and not its place. r.mu is held.
func (r *registry) dispatch(now time.Time) {
	for passed := 0; passed < maxLook && r.ring.Len() > 0; {
		s := r.ring.Front().Value.(*source)
		switch r.full(s) {
		case "":
			t := s.waiting.Front().Value.(*transfer)
			release := r.hold(s)
			r.ring.MoveToBack(s.turn)
			r.unqueue(t)
			r.enter(t, s, now)
			release()
			t.l.post(note{t: t, kind: admitted})
		case boot.TooManyTransfers:
			return
		default:
			r.ring.MoveToBack(s.turn)
			passed++
		}
	}
}

// await is called now and then for a transfer that waits: who acknowledges nothing makes room for
// it. It reports whether the transfer still waits.
func (r *registry) await(t *transfer, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !t.queued {
		return false
	}
	if why := r.full(t.account); why != "" && r.makeRoom(t.account, why, now) {
		r.dispatch(now)
	}
	return t.queued
}

// giveUp ends a transfer's waiting, and says what it waited for. It reports whether it waited at
// all: else a place was given to it at this very moment.
func (r *registry) giveUp(t *transfer) (why boot.Reason, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !t.queued {
		return "", false
	}
	if why = r.full(t.account); why == "" { // it was not its turn
		why = boot.TooManyTransfers
	}
	r.forget(t)
	return why, true
}

// queueLength is how many wait.
func (r *registry) queueLength() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting
}
