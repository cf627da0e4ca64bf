package rate

import "time"

// Newcomers keeps invented machines from taking everything that there is (starvation). P is from where they ask. Who
// is known already is not counted here. It is for one goroutine at a time.
type Newcomers[P comparable] struct {
	places int
	fresh  *Keyed[P]
	counts map[P]*window
}

// window counts the offers of a place that were not asked for, in this minute and the one before.
type window struct {
	minute   int64
	now, old int
}

// NewNewcomers lets in so many new machines of a place in a time. It remembers as many places as said.
func NewNewcomers[P comparable](r Rate, places int) *Newcomers[P] {
	return &Newcomers[P]{places: places, fresh: NewKeyed[P](r, places), counts: map[P]*window{}}
}

// Admit reports whether a new machine is let in. open is how many of a place may have an offer that was not
// asked for, within a minute or two, where the place is narrow enough for such a limit: a port, not a building. 0 is
// none.
func (n *Newcomers[P]) Admit(now time.Time, at P, open int) bool {
	if !n.fresh.Take(now, at) {
		return false
	}
	if open > 0 {
		w := n.window(now, at)
		if w.now+w.old >= open {
			return false
		}
		w.now++
	}
	return true
}

// Taken notes that an offer to a new machine of a counted place was asked for.
func (n *Newcomers[P]) Taken(now time.Time, at P) {
	w := n.window(now, at)
	if w.now > 0 {
		w.now--
	} else if w.old > 0 {
		w.old--
	}
}

func (n *Newcomers[P]) window(now time.Time, at P) *window {
	minute := now.Unix() / 60
	w := n.counts[at]
	if w == nil {
		if len(n.counts) >= n.places {
			clear(n.counts)
		}
		w = &window{minute: minute}
		n.counts[at] = w
	}
	switch minute - w.minute {
	case 0:
	case 1:
		w.now, w.old = 0, w.now
	default:
		w.now, w.old = 0, 0
	}
	w.minute = minute
	return w
}
