package store

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"
)

// Sketch is a histogram of durations whose classes grow by 4 percent each, so that a quantile is
// right within 2 percent, whatever the spread. Two of them merge without loss: that is why old
// measurements keep a median and a 95th percentile, which averages would not.
type Sketch []class

// class counts the durations of one class.
type class struct {
	index int32
	n     uint32
}

// growth is the natural logarithm of the ratio of a class to the one before.
const growth = 0.0392207131532813 // ln 1.04

// classOf is the class of a duration, by its microseconds; below one it is the first.
func classOf(d time.Duration) int32 {
	us := float64(d) / float64(time.Microsecond)
	if us <= 1 {
		return 0
	}
	return int32(math.Round(math.Log(us) / growth))
}

func (c class) value() time.Duration {
	return time.Duration(math.Exp(float64(c.index)*growth) * float64(time.Microsecond))
}

// Add counts a duration.
func (s *Sketch) Add(d time.Duration) { s.add(class{classOf(d), 1}) }

func (s *Sketch) add(c class) {
	i, found := slices.BinarySearchFunc(*s, c, func(a, b class) int { return int(a.index - b.index) })
	if found {
		(*s)[i].n += c.n
		return
	}
	*s = slices.Insert(*s, i, c)
}

// Merge counts in what another sketch has counted.
func (s *Sketch) Merge(o Sketch) {
	for _, c := range o {
		s.add(c)
	}
}

// Quantile is the duration below which the share q lies; 0 if nothing was counted.
func (s Sketch) Quantile(q float64) time.Duration {
	var n uint64
	for _, c := range s {
		n += uint64(c.n)
	}
	if n == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(n)))
	for _, c := range s {
		if uint64(c.n) >= rank {
			return c.value()
		}
		rank -= uint64(c.n)
	}
	return s[len(s)-1].value()
}

// Bytes is the sketch as it is kept: pairs of varints, the distance to the class before and the
// count. Thirty alike measurements take some ten bytes.
func (s Sketch) Bytes() []byte {
	var out []byte
	last := int32(0)
	for _, c := range s {
		out = binary.AppendUvarint(out, uint64(c.index-last))
		out = binary.AppendUvarint(out, uint64(c.n))
		last = c.index
	}
	return out
}

// errSketch is what a sketch is that was not written by Bytes.
var errSketch = errors.New("not a sketch of response times")

// ParseSketch reads what Bytes wrote.
func ParseSketch(b []byte) (Sketch, error) {
	var out Sketch
	last := uint64(0)
	for first := true; len(b) > 0; first = false {
		d, k := binary.Uvarint(b)
		if k <= 0 || d > 1<<20 || (!first && d == 0) {
			return nil, errSketch
		}
		n, k2 := binary.Uvarint(b[k:])
		if k2 <= 0 || n == 0 || n > math.MaxUint32 {
			return nil, errSketch
		}
		if last += d; last > 1<<20 {
			return nil, errSketch
		}
		out = append(out, class{int32(last), uint32(n)})
		b = b[k+k2:]
	}
	return out, nil
}
