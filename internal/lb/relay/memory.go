package relay

import (
	"container/list"
)

// The memory for contents. What is shared is held whole and counts against Config.Cache until nobody
// uses it and something newer needs the room; what finds no room there is not shared, and holds no
// more than ahead, or a window. Of those, maxStreams run at the same time.

// maxStreams bounds the downloads that are not shared.
const maxStreams = 8192

// placed is a flight's place among those that can be evicted.
type placed = list.Element

// private reports whether nobody may join any more. Once so, it stays so. f.mu may be held.
func (f *flight) private() bool { return f.streaming.Load() }

// reserve charges a flight for its whole size, and reports whether it is shared.
func (r *Relay) reserve(f *flight, size int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.shared && !r.charge(f, size) {
		r.unshare(f)
	}
	return f.shared
}

// grow charges a flight of unknown size for what it has.
func (r *Relay) grow(f *flight) {
	if f.private() {
		return
	}
	f.mu.Lock()
	held := int64(len(f.chunks)) * chunk
	f.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.shared && held > f.charged && !r.charge(f, held) {
		r.unshare(f)
	}
}

// charge sets what a flight costs, and reports whether there is room. r.mu is held.
func (r *Relay) charge(f *flight, cost int64) bool {
	if cost > r.cfg.Cache {
		return false
	}
	for more := cost - f.charged; r.used+more > r.cfg.Cache; {
		oldest := r.idle.Front()
		if oldest == nil {
			return false
		}
		r.evict(oldest.Value.(*flight))
	}
	r.used += cost - f.charged
	f.charged = cost
	return true
}

// unshare makes a flight one that nobody joins. r.mu is held.
func (r *Relay) unshare(f *flight) {
	f.shared = false
	f.streaming.Store(true)
	if r.flights[f.key] == f {
		delete(r.flights, f.key)
	}
	r.used -= f.charged
	f.charged = 0
}

// evict forgets a complete content that nobody uses. r.mu is held.
func (r *Relay) evict(f *flight) {
	if f.place != nil {
		r.idle.Remove(f.place)
		f.place = nil
	}
	if r.flights[f.key] == f {
		delete(r.flights, f.key)
	}
	r.used -= f.charged
	f.charged = 0
}

// release is called when a flight lost a reader, or is done: one that nobody uses may be evicted, and
// one that nobody can find any more goes at once.
func (r *Relay) release(f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.mu.Lock()
	unused := len(f.readers) == 0 && len(f.waiters) == 0 && f.done
	f.mu.Unlock()
	switch {
	case !unused || !f.shared:
	case r.flights[f.key] != f:
		r.evict(f)
	case f.place == nil:
		f.place = r.idle.PushBack(f)
	}
}

// use takes a flight from among those that may be evicted. r.mu is held.
func (r *Relay) use(f *flight) {
	if f.place != nil {
		r.idle.Remove(f.place)
		f.place = nil
	}
}

// forget lets nobody find a flight any more.
func (r *Relay) forget(f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flights[f.key] == f {
		delete(r.flights, f.key)
	}
}
