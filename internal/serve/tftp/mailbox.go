package tftp

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// mailbox is where other goroutines leave notes for a loop.
type mailbox struct {
	sleeps atomic.Bool
	waits  atomic.Bool // there are notes

	mu    sync.Mutex // guards notes and bell
	notes []note
	bell  int    // an eventfd that epoll watches; -1: the loop has ended
	spare []note // the loop's, to swap with
}

// note tells a loop of a transfer.
type note struct {
	t     *transfer
	kind  noteKind
	fault any // a panic of the worker
}

type noteKind uint8

const (
	opened      noteKind = iota // the file is open, or t.refusal says why not
	admitted                    // it need not wait any more
	haveRead                    // the worker is done with t.disk
	refilled                    // t.stream has what was awaited, or will not have it
	uploaded                    // the upload has its file, or has failed
	interrupted                 // t.stopped says why
	closeDoor                   // no new requests
)

// post leaves a note and wakes the loop if it sleeps. Either the loop sees waits before it
// sleeps, or this sees that it sleeps.
func (l *loop) post(n note) {
	m := &l.mail
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes = append(m.notes, n)
	m.waits.Store(true)
	if m.sleeps.Load() && m.bell >= 0 {
		_, _ = unix.Write(m.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// readMail works on all notes.
func (l *loop) readMail() {
	m := &l.mail
	if !m.waits.Load() {
		return
	}
	var count [8]byte
	_, _ = unix.Read(m.bell, count[:]) // the bell is still until the next note
	m.mu.Lock()
	m.waits.Store(false)
	notes := m.notes
	m.notes = m.spare[:0]
	m.mu.Unlock()
	for i, n := range notes {
		l.note(n)
		notes[i] = note{}
	}
	m.spare = notes[:0]
}

func (l *loop) note(n note) {
	switch n.kind {
	case closeDoor:
		l.closeDoor()
	case admitted:
		l.enter(n.t)
	case opened:
		l.opening--
		l.start(n.t, n.fault)
	case uploaded:
		l.uploaded(n.t)
	case haveRead:
		l.haveRead(n.t, n.fault)
	case refilled:
		l.refilled(n.t)
	case interrupted:
		if !n.t.over && (n.t.begun || n.t.waits) { // else start sees it
			l.interrupted(n.t)
		}
	}
}
