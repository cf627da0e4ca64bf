package app

import (
	"context"
	"time"
)

// expireEvery is how often what has run out is looked for.
const expireEvery = time.Second

// expire ends what has run out, and follows the clock, until ctx ends.
func (l *leases) expire(ctx context.Context) {
	t := time.NewTicker(expireEvery)
	defer t.Stop()
	last := l.now()
	for began := last; ; {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		now := l.now()
		if by := step(now.Round(0).Sub(last.Round(0)), now.Sub(last)); by != 0 {
			n := l.stepped(now, by, began)
			began = began.Add(by)
			l.log.Warn("the clock was set, or the machine slept: leases go on for the time that they had left", "role", "leases", "by", by.Round(time.Second), "leases", n)
		}
		last = now
		l.book.Expire(now)
	}
}

// step is by how much the clock was set, where that matters, of what went by on it and in truth.
func step(clock, truth time.Duration) time.Duration {
	if by := clock - truth; by.Abs() > 2*time.Second {
		return by
	}
	return 0
}

// stepped tells the book of a step of the clock, and has kept what that changes.
func (l *leases) stepped(now time.Time, by time.Duration, began time.Time) int {
	records := l.book.Stepped(now, by, began)
	for _, r := range records {
		l.Keep(r, func(err error) { l.book.Committed(r, err) })
	}
	return len(records)
}
