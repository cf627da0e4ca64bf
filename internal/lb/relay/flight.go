package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"surefoot/internal/serve/tftp"
)

// key is what one download is of. Names are as the client asks: whether upper and lower case are the
// same is the backends' business.
type key struct {
	file, mode string
}

// flight is one download from the backends and its content, for all clients that want it. It is
// filled by one goroutine. One that is shared is held whole; one that is not holds what its clients
// have not acknowledged yet, and remembers the rest by hashes, so that another backend can go on
// where one stopped only if it has the same.
type flight struct {
	r         *Relay
	key       key
	ask       tftp.Ask // of whoever asked first
	cancel    context.CancelFunc
	seed      maphash.Seed
	room      chan struct{} // gets a value when the clients moved on
	streaming atomic.Bool   // nobody may join any more; set under Relay.mu
	older     *flight       // a content that is stale, good again if its size is still right

	// Guarded by Relay.mu.
	shared  bool  // others may join
	charged int64 // bytes of the cache's budget
	place   *placed

	mu      sync.Mutex // guards the rest
	size    int64      // -1: not known
	have    int64
	chunks  [][]byte // nil: passed by all
	first   int      // the first chunk that is there
	sums    []uint64 // hashes of those before
	whole   []byte   // what chunks are cut from, if the size was known
	err     error    // no more will come
	done    bool
	opened  bool
	fetched time.Time // when it was complete
	checked time.Time // when its size was last seen to be right
	origins []string
	waiters []waiter
	awaits  []await
	soonest int64 // the least offset awaited
	readers map[*reader]struct{}
}

type waiter struct {
	ask    tftp.Ask
	opened func(tftp.Content, error)
}

type await struct {
	off int64
	f   func()
}

// chunk is the unit, in bytes, in which content is held and compared.
const chunk = 64 << 10

// A download that is not shared is at most so many bytes ahead of its client: fewer where there are many.
const (
	mostAhead  = 256 << 10
	leastAhead = 64 << 10
	aheadInAll = 256 << 20
)

func ahead(streams int64) int64 { return min(mostAhead, max(leastAhead, aheadInAll/max(streams, 1))) }

var (
	errDiffers  = errors.New("it has another content than the backend before it")
	errNoReader = errors.New("every client has gone")
)

func newFlight(r *Relay, k key, a tftp.Ask) *flight {
	return &flight{r: r, key: k, ask: a, seed: maphash.MakeSeed(), room: make(chan struct{}, 1), size: -1, readers: map[*reader]struct{}{}}
}

// verifier is where a download is in the content, and the hash of the chunk that it is in.
type verifier struct {
	pos int64
	sum maphash.Hash
}

func (f *flight) verifier() *verifier {
	v := &verifier{}
	v.sum.SetSeed(f.seed)
	return v
}

// announce takes the size that a backend tells. Once a client was told one, another is refused.
func (f *flight) announce(size int64) error {
	f.mu.Lock()
	if f.size >= 0 || f.have > 0 {
		defer f.mu.Unlock()
		if f.size >= 0 && f.size != size || size < f.have {
			return fmt.Errorf("%w: %d bytes instead of %d", errDiffers, size, max(f.size, f.have))
		}
		f.size = size
		return nil
	}
	f.mu.Unlock()
	shared := f.r.reserve(f, size)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.size = size; shared && size > 0 {
		f.whole = make([]byte, size)
	}
	return nil
}

// take compares what came already, and appends what is new.
func (f *flight) take(v *verifier, data []byte) error {
	f.mu.Lock()
	if f.size >= 0 && v.pos+int64(len(data)) > f.size {
		defer f.mu.Unlock()
		return fmt.Errorf("%w: more than the %d bytes that were announced", errDiffers, f.size)
	}
	for len(data) > 0 && v.pos < f.have {
		n := min(int64(len(data)), f.have-v.pos, chunk-v.pos%chunk)
		if !f.same(v, data[:n]) {
			defer f.mu.Unlock()
			return fmt.Errorf("%w: they differ within the %d bytes from %d on", errDiffers, n, v.pos-n)
		}
		data = data[n:]
	}
	for len(data) > 0 {
		i, at := int(v.pos/chunk), v.pos%chunk
		if i == len(f.chunks) {
			f.chunks = append(f.chunks, f.newChunk(i))
		}
		n := copy(f.chunks[i][at:], data)
		v.advance(data[:n])
		f.have = v.pos
		data = data[n:]
	}
	fire := f.ripe()
	grown := f.whole == nil
	f.mu.Unlock()
	call(fire)
	if grown {
		f.r.grow(f)
	}
	return nil
}

// same compares a piece of one chunk, by its hash if the chunk is not held any more.
func (f *flight) same(v *verifier, b []byte) bool {
	i, at := int(v.pos/chunk), v.pos%chunk
	held := i >= f.first
	if held && !bytes.Equal(f.chunks[i][at:at+int64(len(b))], b) {
		v.pos += int64(len(b))
		return false
	}
	sum := v.advance(b)
	return held || v.pos%chunk != 0 || sum == f.sums[i]
}

// advance moves on, and returns the hash of the chunk so far.
func (v *verifier) advance(b []byte) uint64 {
	_, _ = v.sum.Write(b)
	sum := uint64(0)
	if v.pos += int64(len(b)); v.pos%chunk == 0 {
		sum = v.sum.Sum64()
		v.sum.Reset()
	}
	return sum
}

func (f *flight) newChunk(i int) []byte {
	if f.whole != nil {
		off := int64(i) * chunk
		return f.whole[off:min(off+chunk, int64(len(f.whole)))]
	}
	return make([]byte, chunk)
}

// complete ends a download whose last block came.
func (f *flight) complete(v *verifier, now time.Time) error {
	f.mu.Lock()
	if v.pos < f.have || f.size >= 0 && v.pos != f.size {
		defer f.mu.Unlock()
		return fmt.Errorf("%w: it ends after %d bytes of %d", errDiffers, v.pos, max(f.size, f.have))
	}
	f.size, f.done, f.fetched, f.checked = f.have, true, now, now
	fire := f.ripe()
	f.mu.Unlock()
	call(fire)
	return nil
}

// fail ends it without a content.
func (f *flight) fail(err error) {
	f.r.forget(f)
	f.mu.Lock()
	f.err, f.done = err, true
	fire := f.ripe()
	waiters := f.waiters
	f.waiters = nil
	f.mu.Unlock()
	call(fire)
	for _, w := range waiters {
		w.opened(nil, err)
	}
}

// ripe returns what waits for no more, and takes it out. f.mu is held.
func (f *flight) ripe() []func() {
	if len(f.awaits) == 0 || !f.done && f.have < f.soonest {
		return nil
	}
	var fire []func()
	rest := f.awaits[:0]
	f.soonest = 0
	for _, a := range f.awaits {
		switch {
		case f.done || f.have >= a.off:
			fire = append(fire, a.f)
		default:
			rest = append(rest, a)
			if f.soonest == 0 || a.off < f.soonest {
				f.soonest = a.off
			}
		}
	}
	clear(f.awaits[len(rest):])
	f.awaits = rest
	return fire
}

func call(all []func()) {
	for _, f := range all {
		f()
	}
}

// full reports whether the clients have to move on first. f.mu is held.
func (f *flight) full() bool {
	if !f.private() || len(f.awaits) > 0 {
		return false
	}
	return f.have-int64(f.first)*chunk >= ahead(f.r.streams.Load())
}

// trim drops what every client has, of a content that is held for them alone. f.mu is held.
func (f *flight) trim() {
	least := f.have
	for r := range f.readers {
		least = min(least, r.passed)
	}
	for f.first < len(f.chunks) && int64(f.first+1)*chunk <= least {
		f.sums = append(f.sums, maphash.Bytes(f.seed, f.chunks[f.first]))
		f.chunks[f.first] = nil
		f.first++
	}
	select {
	case f.room <- struct{}{}:
	default:
	}
}
