package rate

import (
	"math/rand/v2"
	"time"
)

// Table is a bucket for each key that is a number, as Keyed is for others, at the price of one cache
// line a key: a map of 60,000 machines costs several, and with them a twentieth of an answer. Its memory is
// fixed. Where more keys come than it has room for, the one that has been silent the longest is
// forgotten, of the few that share a line with the new one; which these are nobody outside can tell. It is for
// one goroutine at a time.
type Table struct {
	rate  Rate
	seed  uint64
	lines []line
	shift uint
}

// ways is how many keys share a line of 64 bytes.
const ways = 4

type line [ways]entry

// entry is a Bucket in 16 bytes. Its time is in milliseconds and goes round after 49 days: who has been silent
// for so long may find its bucket as it left it.
type entry struct {
	key  uint64 // plus one: 0 is nobody
	at   uint32
	used float32
}

// NewTable makes buckets of one rate for at least so many keys. A key is any number but the highest.
func NewTable(r Rate, keys int) *Table {
	t := &Table{rate: r, seed: rand.Uint64(), shift: 64}
	n := 1
	for ; n*ways < keys; n *= 2 {
		t.shift--
	}
	t.lines = make([]line, n)
	return t
}

// Take takes a token of a key if there is one.
func (t *Table) Take(now time.Time, key uint64) bool {
	l := &t.lines[mix(key^t.seed)>>t.shift&uint64(len(t.lines)-1)]
	at := uint32(now.UnixMilli())
	e := &l[0]
	for i := range l {
		if l[i].key == key+1 {
			return l[i].take(at, t.rate)
		}
		if l[i].key == 0 || e.key != 0 && at-l[i].at > at-e.at {
			e = &l[i]
		}
	}
	*e = entry{key: key + 1, at: at}
	return e.take(at, t.rate)
}

func (e *entry) take(at uint32, r Rate) bool {
	// A clock that was put back looks like a long silence, which shuts nobody out.
	e.used = max(0, e.used-r.PerSecond*float32(at-e.at)/1000)
	e.at = at
	if e.used+1 > r.Burst {
		return false
	}
	e.used++
	return true
}

// mix is the finalizer of SplitMix64: every bit of the key changes half of the bits.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
