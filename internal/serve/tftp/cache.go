package tftp

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

// cache holds contents in memory, once for all transfers that send them: 2 system calls for each
// block instead of the 5 of a server that seeks and reads, and a whole window leaves without a
// copy. A transfer keeps the version that it began with; when the file changes, the next one gets
// another. Copies on the heap, not maps of the file: one that is made shorter while it is mapped
// kills the process.
type cache struct {
	budget  int64 // bytes of all versions; those that only transfers still hold come on top
	longest int64 // bytes of one that is held

	loading sync.WaitGroup
	stopped atomic.Bool

	mu    sync.Mutex // guards the rest, and the place and cost of versions
	known map[cacheKey]*version
	used  int64
	order list.List // of *version, the one used last at the back
}

type cacheKey struct {
	name     string // below the root
	netascii bool   // translated once, into a copy of its own
}

// version is one content of a file. Only the first who asks loads it.
type version struct {
	key   cacheKey
	stamp stamp
	done  chan struct{} // closed when data is there, or will not be
	data  []byte        // nil: it could not be loaded
	cost  int64
	place *list.Element
}

// settled is the age from which on a file's times tell its versions apart: they move in steps of
// some milliseconds, so one written just now may be written again within the same step. Until
// then it is read from the disk.
const settled = 2 * time.Second

// loadAtOnce is the longest file, in bytes, that a transfer waits for to be read whole. A longer
// one is read for the transfers to come, while the first ones read it block by block.
const loadAtOnce = 4 << 20

// content returns the bytes to send for an open file, or nil if they are to be read from it.
func (c *cache) content(f *files.File, netascii bool) []byte {
	at, ok := stampOf(f)
	if !ok || at.size > c.longest || time.Since(time.Unix(0, at.ctime)) < settled {
		return nil
	}
	v, mine := c.claim(cacheKey{f.Name(), netascii}, at)
	if at.size <= loadAtOnce {
		if mine {
			c.load(v, f)
		}
		<-v.done
		return v.data
	}
	if mine {
		c.loading.Go(func() { c.loadAgain(v, f.Again) })
	}
	select {
	case <-v.done:
		return v.data
	default:
		return nil
	}
}

// claim finds the version, or makes it; then it is the caller's to load.
func (c *cache) claim(k cacheKey, at stamp) (v *version, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.known[k]; v != nil {
		if v.stamp == at {
			c.order.MoveToBack(v.place)
			return v, false
		}
		c.forget(v)
	}
	v = &version{key: k, stamp: at, done: make(chan struct{})}
	if c.known == nil {
		c.known = map[cacheKey]*version{}
	}
	c.known[k] = v
	v.place = c.order.PushBack(v)
	c.charge(v, at.size)
	return v, true
}

// charge sets what a version costs, and makes room. c.mu is held.
func (c *cache) charge(v *version, cost int64) {
	c.used += cost - v.cost
	v.cost = cost
	for c.used > c.budget && c.order.Front().Value != v {
		c.forget(c.order.Front().Value.(*version))
	}
}

// forget leaves a version to those who use it. c.mu is held.
func (c *cache) forget(v *version) {
	if v.place == nil {
		return
	}
	c.order.Remove(v.place)
	delete(c.known, v.key)
	c.used -= v.cost
	v.place = nil
}

// loadAgain loads a version through a descriptor of its own, which no transfer closes.
func (c *cache) loadAgain(v *version, again func() (*files.File, error)) {
	f, err := again()
	if err != nil {
		c.loaded(v, nil)
		return
	}
	defer f.Close()
	c.load(v, f)
}

// load reads a version. One that is written to meanwhile is none.
func (c *cache) load(v *version, f *files.File) {
	var data []byte
	defer func() { c.loaded(v, data) }()
	b := make([]byte, v.stamp.size)
	for off := 0; off < len(b); off += 1 << 20 {
		if c.stopped.Load() || readFull(f, b[off:min(off+1<<20, len(b))], int64(off)) != nil {
			return
		}
	}
	if at, ok := stampOf(f); !ok || at != v.stamp {
		return
	}
	if v.key.netascii {
		text := make([]byte, wire.NetasciiSize(b))
		new(wire.Netascii).Encode(text, b)
		b = text
	}
	data = b
}

func (c *cache) loaded(v *version, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v.data = data
	close(v.done)
	switch {
	case v.place == nil: // something newer has its place
	case data == nil:
		c.forget(v)
	default:
		c.charge(v, int64(len(data)))
	}
}

// stop ends what is being loaded.
func (c *cache) stop() {
	c.stopped.Store(true)
	c.loading.Wait()
}
