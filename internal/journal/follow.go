package journal

import (
	"context"

	"surefoot/internal/boot"
)

// Update is one movement of a story.
type Update struct {
	Story  Story       `json:"story"` // without its steps
	Event  *boot.Event `json:"event,omitempty"`
	Missed int         `json:"missed,omitempty"` // updates lost before this one, because the reader was slow
}

type follower struct {
	ch     chan Update
	missed int
}

// followBuffer is how many updates may wait for one reader.
const followBuffer = 256

// Follow returns every later update until ctx ends. A reader that is too slow loses some and is
// told how many.
func (j *Journal) Follow(ctx context.Context) <-chan Update {
	f := &follower{ch: make(chan Update, followBuffer)}
	j.mu.Lock()
	j.followers[f] = struct{}{}
	j.mu.Unlock()
	context.AfterFunc(ctx, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.followers, f)
		close(f.ch)
	})
	return f.ch
}

// publish hands an update to all followers. ev is what moved the story, nil if it was time
// alone. j.mu is held.
func (j *Journal) publish(ev *boot.Event, r *record) {
	if len(j.followers) == 0 {
		return
	}
	u := Update{Story: r.snapshot(false)}
	if ev != nil {
		own := *ev
		u.Event = &own
	}
	for f := range j.followers {
		u.Missed = f.missed
		select {
		case f.ch <- u:
			f.missed = 0
		default:
			f.missed++
		}
	}
}
