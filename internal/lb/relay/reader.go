package relay

import (
	"strings"

	"surefoot/internal/serve/tftp"
)

// reader is a flight as one client's transfer sees it.
type reader struct {
	f      *flight
	passed int64 // guarded by f.mu
	closed bool
}

var _ tftp.Content = (*reader)(nil)

// read makes a reader. f.mu is held.
func (f *flight) read() *reader {
	r := &reader{f: f}
	f.readers[r] = struct{}{}
	return r
}

func (r *reader) State() (size, have int64, err error) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	return r.f.size, r.f.have, r.f.err
}

func (r *reader) View(dst []byte, off int64) []byte {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.whole != nil {
		return f.whole[off : off+int64(len(dst))]
	}
	for n := 0; n < len(dst); {
		c := f.chunks[(off+int64(n))/chunk]
		n += copy(dst[n:], c[(off+int64(n))%chunk:])
	}
	return dst
}

func (r *reader) Await(off int64, fn func()) {
	f := r.f
	f.mu.Lock()
	if f.done || f.have >= off {
		f.mu.Unlock()
		fn()
		return
	}
	f.awaits = append(f.awaits, await{off, fn})
	if f.soonest == 0 || off < f.soonest {
		f.soonest = off
	}
	select { // it may be ahead far enough, and not for this client
	case f.room <- struct{}{}:
	default:
	}
	f.mu.Unlock()
}

func (r *reader) Passed(off int64) {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if off <= r.passed {
		return
	}
	before := r.passed / chunk
	r.passed = off
	if off/chunk != before && f.private() {
		f.trim()
	}
}

func (r *reader) Origin() string {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	return strings.Join(r.f.origins, ", then ")
}

func (r *reader) Close() {
	f := r.f
	f.mu.Lock()
	if r.closed {
		f.mu.Unlock()
		return
	}
	r.closed = true
	delete(f.readers, r)
	left := len(f.readers) + len(f.waiters)
	private := f.private()
	if private && left > 0 {
		f.trim()
	}
	f.mu.Unlock()
	if private && left == 0 { // nobody can join any more
		f.cancel()
	}
	f.r.release(f)
}
