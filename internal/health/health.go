// Package health makes up its mind about servers: from the results of downloads, one after the
// other, it says of each server and file whether it counts as up or down, and from all of that and
// the administrators' drains it makes one Snapshot that every answer is decided by.
//
// It is pure: time and results are handed in, states and changes come out. It downloads nothing
// (package watch does), and knows no rule of the site but the groups of servers that it is given.
package health

import (
	"time"

	"surefoot/internal/boot"
)

// Status is what a server counts as, for one file.
type Status string

// The statuses. Unknown counts as up wherever an answer is decided: no result is no proof.
const (
	Unknown Status = "unknown"
	Up      Status = "up"
	Down    Status = "down"
)

// Settings are the thresholds. The zero value of a field means its default.
type Settings struct {
	DownAfter int           // bad results in a row that bring it down; 3
	UpAfter   int           // good results in a row that bring it up; 2
	SlowStart time.Duration // over which the weight of one that came up grows; 30 s, negative: none

	// FlapChanges within FlapWindow make a server that flaps: it stays down for a while, which
	// doubles each time from FlapHold up to FlapMost. Calm for FlapMost makes it forgotten.
	FlapChanges int           // 6
	FlapWindow  time.Duration // 10 min
	FlapHold    time.Duration // 1 min
	FlapMost    time.Duration // 15 min
}

// WithDefaults fills in what is zero.
func (s Settings) WithDefaults() Settings {
	count := func(p *int, def int) {
		if *p <= 0 {
			*p = def
		}
	}
	span := func(p *time.Duration, def time.Duration) {
		if *p == 0 {
			*p = def
		}
	}
	count(&s.DownAfter, 3)
	count(&s.UpAfter, 2)
	count(&s.FlapChanges, 6)
	span(&s.SlowStart, 30*time.Second)
	span(&s.FlapWindow, 10*time.Minute)
	span(&s.FlapHold, time.Minute)
	span(&s.FlapMost, 15*time.Minute)
	s.FlapMost = max(s.FlapMost, s.FlapHold)
	return s
}

// Result is what one download means for the machine.
type Result struct {
	Good  bool
	Cause string // of a bad one, in words
}

// Change is a step from one status to another.
type Change struct {
	Time   time.Time
	From   Status
	To     Status
	Reason boot.Reason // ServerUp, ServerDown or ServerFlapping
	Text   string      // why, in words
}
