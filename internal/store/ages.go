package store

import "time"

// Ages are how long each kind of record is kept.
type Ages struct {
	Raw       time.Duration // single measurements
	Diagnosis time.Duration
	Five      time.Duration // buckets of five minutes
	Story     time.Duration
	Hour      time.Duration // buckets of an hour, changes and alerts
}

// NewAges is what `keep` means for each kind: single measurements for two days, five minutes for
// two weeks, and the rest as long as was asked for.
func NewAges(keep time.Duration) Ages {
	return Ages{
		Raw:       min(keep, 48*Hour),
		Diagnosis: min(keep, 7*24*Hour),
		Five:      min(keep, 14*24*Hour),
		Story:     keep,
		Hour:      keep,
	}
}

// Squeeze is what is kept when there is not room enough: every level halves what takes most, down
// to what a person needs who looks for the cause of what happens now. The hours go last.
func (a Ages) Squeeze(level int) Ages {
	half := func(d, least time.Duration, from int) time.Duration {
		for range max(0, level-from) {
			d /= 2
		}
		return d + max(0, min(least, a.Hour)-d)
	}
	return Ages{
		Raw:       half(a.Raw, 2*Hour, 0),
		Diagnosis: half(a.Diagnosis, 2*Hour, 0),
		Story:     half(a.Story, 12*Hour, 1),
		Five:      half(a.Five, 12*Hour, 2),
		Hour:      half(a.Hour, 24*Hour, 4),
	}
}

// MaxSqueeze is the level beyond which nothing more gives way.
const MaxSqueeze = 16
