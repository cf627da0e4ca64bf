// Package rate says how often somebody may be answered: token buckets, one for each key, in
// bounded memory. It has no clock: time is handed in. It is not where anything is refused.
package rate

import "time"

// Rate is how many in a second, and how many at once after a pause.
type Rate struct{ PerSecond, Burst float32 }

// Bucket is a token bucket. The zero value is full.
type Bucket struct {
	at   int64   // when that was so, in nanoseconds: without a pointer, tables of them cost the collector nothing
	used float32 // tokens missing
}

// Take takes a token if there is one.
func (b *Bucket) Take(now time.Time, r Rate) bool {
	n := now.UnixNano()
	if d := time.Duration(n - b.at); d > 0 {
		b.used = max(0, b.used-r.PerSecond*float32(d.Seconds()))
	}
	b.at = n // also when the clock was put back: it must not shut anybody out until then
	if b.used+1 > r.Burst {
		return false
	}
	b.used++
	return true
}

// Keyed is a bucket for each key. What it remembers is bounded: when a generation is full, the
// one before it is forgotten, so a flood of invented keys costs a fixed amount of memory and
// never locks out one that is known. It is for one goroutine at a time.
type Keyed[K comparable] struct {
	rate     Rate
	most     int // keys in each of two generations
	now, old map[K]Bucket

	last   K      // whose bucket is here, if held: most packets come from where the one before came from
	bucket Bucket // not in a map
	held   bool
}

// NewKeyed makes buckets of one rate, and remembers at most twice as many keys as said.
func NewKeyed[K comparable](r Rate, most int) *Keyed[K] {
	return &Keyed[K]{rate: r, most: most, now: map[K]Bucket{}}
}

// Take takes a token of a key if there is one.
func (k *Keyed[K]) Take(now time.Time, key K) bool {
	if !k.held || k.last != key {
		k.put()
		b, ok := k.now[key]
		if !ok {
			b = k.old[key]
		}
		k.last, k.bucket, k.held = key, b, true
	}
	return k.bucket.Take(now, k.rate)
}

// put puts the bucket that was used last to the others.
func (k *Keyed[K]) put() {
	if !k.held {
		return
	}
	if _, ok := k.now[k.last]; !ok && len(k.now) >= k.most {
		k.old, k.now = k.now, make(map[K]Bucket, k.most)
	}
	k.now[k.last] = k.bucket
}

// Len returns how many keys are remembered.
func (k *Keyed[K]) Len() int {
	k.put()
	return len(k.now) + len(k.old)
}
