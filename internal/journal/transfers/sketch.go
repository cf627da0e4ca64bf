package transfers

import (
	"cmp"
	"slices"
)

// sketch counts by key, and remembers at most max keys: those with the most load. It is the
// "space-saving" algorithm (Metwally, Agrawal, El Abbadi 2005): a new key takes the place of the
// one with the least load, and inherits that load as what it may have had before. So a key with
// more than a max-th of all load is always there, however many others there are; the figures of a
// key are never too high, and its load is too low by no more than missing.
type sketch[K comparable] struct {
	max   int
	at    map[K]*count[K]
	heap  []*count[K] // the least load on top
	floor int64       // no key that is not here had more load than this
}

// count is one key's.
type count[K comparable] struct {
	key     K
	place   int   // in the heap
	rank    int64 // load and what may be missing of it
	missing int64
	Figures
}

// Figures are what is counted for a client or a file.
type Figures struct {
	Transfers   int64 `json:"transfers"`    // that ended; size queries apart
	SizeQueries int64 `json:"size_queries"` // that ended
	Failed      int64 `json:"failed"`       // of the transfers
	Bytes       int64 `json:"bytes"`        // acknowledged
	Retransmits int64 `json:"retransmits"`
	Load        int64 `json:"load"` // requests and acknowledged blocks: what the order goes by
}

func (f *Figures) add(o *Figures) {
	f.Transfers += o.Transfers
	f.SizeQueries += o.SizeQueries
	f.Failed += o.Failed
	f.Bytes += o.Bytes
	f.Retransmits += o.Retransmits
	f.Load += o.Load
}

func newSketch[K comparable](most int) *sketch[K] {
	return &sketch[K]{max: most, at: map[K]*count[K]{}}
}

// add counts the figures of one more transfer.
func (s *sketch[K]) add(key K, f *Figures) {
	c := s.at[key]
	switch {
	case c != nil:
	case len(s.heap) < s.max:
		c = &count[K]{key: key, place: len(s.heap)}
		s.heap, s.at[key] = append(s.heap, c), c
		s.up(c)
	default:
		c = s.heap[0]
		delete(s.at, c.key)
		s.at[key] = c
		s.floor = c.rank
		c.key, c.missing, c.Figures = key, c.rank, Figures{}
	}
	c.Figures.add(f)
	c.rank += f.Load
	s.down(c)
}

// up moves a new count, which has no load yet, to the top.
func (s *sketch[K]) up(c *count[K]) {
	for c.place > 0 {
		parent := s.heap[(c.place-1)/2]
		if parent.rank <= c.rank {
			return
		}
		s.swap(parent, c)
	}
}

// down moves a count whose load has grown away from the top.
func (s *sketch[K]) down(c *count[K]) {
	for {
		i := 2*c.place + 1
		if i >= len(s.heap) {
			return
		}
		child := s.heap[i]
		if i+1 < len(s.heap) && s.heap[i+1].rank < child.rank {
			child = s.heap[i+1]
		}
		if child.rank >= c.rank {
			return
		}
		s.swap(c, child)
	}
}

func (s *sketch[K]) swap(a, b *count[K]) {
	a.place, b.place = b.place, a.place
	s.heap[a.place], s.heap[b.place] = a, b
}

// ranked is a key with its figures, of one sketch or of several together.
type ranked[K comparable] struct {
	key     K
	missing int64
	Figures
}

// merge adds up sketches, and returns the keys of all of them, the most load first, and how much
// load a key that is in none of them may have had.
func merge[K comparable](all ...*sketch[K]) (list []ranked[K], floor int64) {
	sum := map[K]*ranked[K]{}
	for _, s := range all {
		floor += s.floor
		for _, c := range s.heap {
			r := sum[c.key]
			if r == nil {
				r = &ranked[K]{key: c.key}
				sum[c.key] = r
			}
			r.Figures.add(&c.Figures)
			r.missing += c.missing - s.floor // below, the floor of all is added: it may be missing where the key is not
		}
	}
	list = make([]ranked[K], 0, len(sum))
	for _, r := range sum {
		r.missing += floor
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b ranked[K]) int {
		return cmp.Or(cmp.Compare(b.Load, a.Load), cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.missing, b.missing))
	})
	return list, floor
}

// absorb adds another sketch to this one, and forgets the keys with the least load.
func (s *sketch[K]) absorb(o *sketch[K]) {
	list, floor := merge(s, o)
	slices.SortStableFunc(list, func(a, b ranked[K]) int { return cmp.Compare(b.Load+b.missing, a.Load+a.missing) })
	if len(list) > s.max {
		floor = max(floor, list[s.max].Load+list[s.max].missing)
		list = list[:s.max]
	}
	*s = *newSketch[K](s.max)
	s.floor = floor
	for _, r := range slices.Backward(list) { // the least load first is a heap already
		c := &count[K]{key: r.key, place: len(s.heap), rank: r.Load + r.missing, missing: r.missing, Figures: r.Figures}
		s.heap, s.at[r.key] = append(s.heap, c), c
	}
}
