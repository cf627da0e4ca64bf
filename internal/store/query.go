package store

import (
	"fmt"
	"time"
)

// Query chooses by name and time: [Since, Until).
type Query struct {
	Name         string // of a test or a server; "" for all
	Since, Until time.Time
	Step         time.Duration // of Series; one bucket for each
	Limit        int           // rows at the most; 0: no limit
}

// StoryQuery chooses stories that moved in [Since, Until), the newest first.
type StoryQuery struct {
	Machine      string // its name, its MAC address or the end of it, or its IP address; "" for all
	Since, Until time.Time
	Limit        int
}

// Series is the course of one test.
type Series struct {
	Test, Server, File string
	Buckets            []Bucket // in order; steps without a run are left out
}

// MaxSteps bounds what one question may ask for.
const MaxSteps = 20_000

// Check refuses a question for series that makes no sense.
func (q Query) Check() error {
	switch {
	case !q.Since.Before(q.Until):
		return fmt.Errorf("the time asked for ends (%s) before it begins (%s)", q.Until.Format(time.DateTime), q.Since.Format(time.DateTime))
	case q.Step < time.Second:
		return fmt.Errorf("a step of %s is too short: a second at the least", q.Step)
	case q.Until.Sub(q.Since)/q.Step > MaxSteps:
		return fmt.Errorf("%d steps of %s are more than %d: ask for a longer step", q.Until.Sub(q.Since)/q.Step, q.Step, MaxSteps)
	}
	return nil
}

// StepFor is a step that cuts a span into some 50 to 100 parts, of a round length.
func StepFor(span time.Duration) time.Duration {
	for _, s := range []time.Duration{
		10 * time.Second, 30 * time.Second, time.Minute, Five, 15 * time.Minute, 30 * time.Minute,
		Hour, 3 * Hour, 6 * Hour, 12 * Hour,
	} {
		if span/s <= 96 {
			return s
		}
	}
	return 24 * Hour
}
