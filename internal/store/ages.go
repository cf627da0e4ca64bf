package store

import (
	"cmp"
	"time"
)

// Ages are how long each kind of record is kept.
type Ages struct {
	Raw       time.Duration // single measurements
	Diagnosis time.Duration
	Five      time.Duration // buckets of five minutes
	Story     time.Duration
	Hour      time.Duration // buckets of an hour, changes and alerts
}

// How long each kind is kept where nobody says it.
const (
	UsualRaw  = 2 * 24 * Hour
	UsualFive = 14 * 24 * Hour
	UsualHour = 30 * 24 * Hour

	usualDiagnosis = 7 * 24 * Hour
)

// NewAges is what was asked for, as ages of each kind; 0 is what is usual. What is finer is never
// kept for longer than what is coarser.
func NewAges(raw, five, keep time.Duration) Ages {
	keep = cmp.Or(keep, UsualHour)
	five = min(cmp.Or(five, UsualFive), keep)
	return Ages{
		Raw:       min(cmp.Or(raw, UsualRaw), five),
		Diagnosis: min(usualDiagnosis, keep),
		Five:      five,
		Story:     keep,
		Hour:      keep,
	}
}

// Squeeze is what is kept when there is not room enough: every level halves what takes most, down
// to what a person needs who looks for the cause of what happens now. The hours go last.
func (a Ages) Squeeze(level int) Ages {
	half := func(d, least time.Duration, from int) time.Duration {
		least = min(least, d) // never more than was asked for
		for range max(0, level-from) {
			d /= 2
		}
		return max(d, least)
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
