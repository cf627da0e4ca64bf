package watch

import "context"

// Update is one movement for who follows: a result, or a change.
type Update struct {
	Result *Result `json:"result,omitempty"`
	Change *Change `json:"change,omitempty"`
	Look   *Look   `json:"look,omitempty"`   // at a segment
	Missed int     `json:"missed,omitempty"` // updates before this one that the reader was too slow for
}

// follower is a reader with what waits for it.
type follower struct {
	test   string // "" for all
	out    chan Update
	missed int
}

// Follow returns what happens to a test ("" for all) until ctx ends.
func (w *Watcher) Follow(ctx context.Context, test string) <-chan Update {
	f := &follower{test: test, out: make(chan Update, 256)}
	w.mu.Lock()
	w.followers[f] = struct{}{}
	w.mu.Unlock()
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.followers, f)
		close(f.out)
	})
	return f.out
}

// send never waits. The caller holds the Watcher's lock.
func (f *follower) send(u Update) {
	u.Missed = f.missed
	select {
	case f.out <- u:
		f.missed = 0
	default:
		f.missed++
	}
}

// Looked gives a look at a segment to who follows it, or all.
func (w *Watcher) Looked(l Look) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for f := range w.followers {
		if f.test == "" || f.test == l.Name {
			f.send(Update{Look: &l})
		}
	}
}

// publishTo gives a result to who follows its test. The caller holds the lock.
func (w *Watcher) publishTo(r Result) {
	for f := range w.followers {
		if f.test == "" || f.test == r.Test {
			f.send(Update{Result: &r})
		}
	}
}

// changeTo gives a change to who follows its test. The caller holds the lock.
func (w *Watcher) changeTo(c Change) {
	for f := range w.followers {
		if f.test == "" || f.test == c.Test {
			f.send(Update{Change: &c})
		}
	}
}
