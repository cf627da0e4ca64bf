package alert

import (
	"slices"
	"time"

	"surefoot/internal/store"
)

// window is how many five-minute medians make a baseline: a day. A new level is the normal one
// after half of it.
const window = 288

// baseline is what a test's response time is when nothing is wrong, learned from the test itself
// (NetScaler's LRTM idea, F33), by medians: single outliers move neither them nor the deviation.
type baseline struct {
	medians []time.Duration // of each five minutes, the oldest first
	start   time.Time       // of the five minutes that are under way
	now     []time.Duration // its response times
}

// add takes the response time of a good run.
func (b *baseline) add(at time.Time, d time.Duration) {
	if s := store.Align(at, store.Five); !s.Equal(b.start) {
		b.close()
		b.start = s
	}
	b.now = append(b.now, d)
}

// close makes a median of what was gathered.
func (b *baseline) close() {
	if len(b.now) > 0 {
		b.learn(median(b.now))
		b.now = b.now[:0]
	}
}

func (b *baseline) learn(d time.Duration) {
	if len(b.medians) == window {
		b.medians = slices.Delete(b.medians, 0, 1)
	}
	b.medians = append(b.medians, d)
}

// level is the median of what was learned, and the median absolute deviation from it.
func (b *baseline) level() (mid, mad time.Duration) {
	mid = median(b.medians)
	away := make([]time.Duration, len(b.medians))
	for i, d := range b.medians {
		away[i] = (d - mid).Abs()
	}
	return mid, median(away)
}

// median of a list, 0 of none. The list stays as it is.
func median(list []time.Duration) time.Duration {
	if len(list) == 0 {
		return 0
	}
	s := slices.Clone(list)
	slices.Sort(s)
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
