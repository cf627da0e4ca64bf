package lease

// timers is a heap of (second, index). It is lazy: what is put off keeps its old element, which
// is looked at when it comes up and put in again for the later time. A renewal then costs nothing
// here, and whatever is in a heap knows the second of its element, so that an element which was
// replaced by an earlier one is recognised as stale.
type timers struct{ heap []uint64 }

func timer(at, index uint32) uint64 { return uint64(at)<<32 | uint64(index) }

func (t *timers) push(at, index uint32) {
	t.heap = append(t.heap, timer(at, index))
	h, i := t.heap, len(t.heap)-1
	for v := h[i]; i > 0; {
		up := (i - 1) / 4
		if h[up] <= v {
			break
		}
		h[i], h[up] = h[up], v
		i = up
	}
}

// top returns the earliest element.
func (t *timers) top() (at, index uint32, ok bool) {
	if len(t.heap) == 0 {
		return 0, 0, false
	}
	return uint32(t.heap[0] >> 32), uint32(t.heap[0]), true
}

func (t *timers) pop() {
	n := len(t.heap) - 1
	v := t.heap[n]
	t.heap = t.heap[:n]
	h, i := t.heap, 0
	for {
		least, first := i, 4*i+1
		best := v
		for c := first; c < min(first+4, n); c++ {
			if h[c] < best {
				least, best = c, h[c]
			}
		}
		if least == i {
			break
		}
		h[i] = best
		i = least
	}
	if n > 0 {
		h[i] = v
	}
}

// put arms an element for a second, unless one that comes up earlier is there already.
func (t *timers) put(due *uint32, at, index uint32) {
	if *due == 0 || at < *due {
		*due = at
		t.push(at, index)
	}
}
