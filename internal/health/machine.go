package health

import (
	"fmt"
	"slices"
	"time"

	"surefoot/internal/boot"
)

// State is one machine: a server and a file. The zero value knows nothing. It is a value: Step
// returns the next one and leaves this one as it is.
type State struct {
	Status Status
	Since  time.Time // of the status; zero: nothing is known yet
	Reason boot.Reason
	Text   string // why, in words
	Good   int    // results in a row
	Bad    int
	Held   time.Time // down until then at least, because it flaps; zero: not held

	first   bool        // up since the first result: no slow start
	changes []time.Time // within the window, oldest first
	holds   int         // how often it was held without a calm time in between
	calm    time.Time   // when the last hold is forgotten
}

// Is returns the status; that of the zero value is Unknown.
func (s State) Is() Status {
	if s.Status == "" {
		return Unknown
	}
	return s.Status
}

// Step takes one result, and returns what becomes of the machine and the change that this is, nil
// if it is none.
//
// The first good result of all makes it up: there is nothing to recover from. Otherwise UpAfter in
// a row do, and DownAfter bad ones make it down. A result in between begins the count anew.
func (s State) Step(now time.Time, r Result, set Settings) (State, *Change) {
	set = set.WithDefaults()
	if r.Good {
		s.Good, s.Bad = s.Good+1, 0
	} else {
		s.Good, s.Bad = 0, s.Bad+1
	}
	switch s.Is() {
	case Up:
		if s.Bad < set.DownAfter {
			return s, nil
		}
		return s.fall(now, r, set)
	case Down:
		if s.Good < set.UpAfter || now.Before(s.Held) {
			return s, nil
		}
		return s.rise(now, set, fmt.Sprintf("%s in a row", plural(s.Good, "good download")))
	}
	switch {
	case r.Good:
		next, c := s.rise(now, set, "the first download was good")
		next.first = true
		return next, c
	case s.Bad >= set.DownAfter:
		return s.fall(now, r, set)
	}
	return s, nil
}

func (s State) rise(now time.Time, set Settings, why string) (State, *Change) {
	return s.change(now, Up, boot.ServerUp, why, set)
}

// fall brings the machine down, and holds it there if it changes too often.
func (s State) fall(now time.Time, r Result, set Settings) (State, *Change) {
	why := plural(s.Bad, "bad download") + " in a row"
	if r.Cause != "" {
		why += ", the last: " + r.Cause
	}
	if s.holds > 0 && now.After(s.calm) {
		s.holds = 0
	}
	recent := 1 + len(s.within(now, set.FlapWindow))
	if recent < set.FlapChanges {
		return s.change(now, Down, boot.ServerDown, why, set)
	}
	hold := set.FlapHold
	for range s.holds {
		if hold *= 2; hold >= set.FlapMost {
			hold = set.FlapMost
			break
		}
	}
	s.holds++
	s.Held = now.Add(hold)
	s.calm = s.Held.Add(set.FlapMost)
	why = fmt.Sprintf("it went up and down %d times in %s, so it stays down for %s at least; %s", recent, words(set.FlapWindow), words(hold), why)
	return s.change(now, Down, boot.ServerFlapping, why, set)
}

func (s State) change(now time.Time, to Status, reason boot.Reason, why string, set Settings) (State, *Change) {
	c := &Change{Time: now, From: s.Is(), To: to, Reason: reason, Text: why}
	if to == Up {
		s.Held = time.Time{}
	}
	recent := s.within(now, set.FlapWindow)
	if s.Is() != Unknown { // to learn the first is no change of the server's
		recent = append(slices.Clone(recent), now)
	}
	s.changes = recent
	s.Status, s.Since, s.Reason, s.Text, s.first = to, now, reason, why, false
	return s, c
}

// within returns the changes of the window that ends now.
func (s State) within(now time.Time, window time.Duration) []time.Time {
	i := 0
	for i < len(s.changes) && now.Sub(s.changes[i]) >= window {
		i++
	}
	return s.changes[i:]
}

// Doubt reports whether the next result may change the status soon: results do not agree with it.
func (s State) Doubt() bool {
	switch s.Is() {
	case Up:
		return s.Bad > 0
	case Down:
		return s.Good > 0
	}
	return s.Bad > 0
}

// least is the weight with which a server comes back.
const least = 10

// Weight says how much of its share a server should get, from 0 to 100: none while it is down, a
// tenth when it has just come up, and then more by and by.
func (s State) Weight(now time.Time, set Settings) int {
	set = set.WithDefaults()
	switch {
	case s.Is() == Down:
		return 0
	case s.Is() == Unknown, s.first, set.SlowStart < 0:
		return 100
	}
	up := now.Sub(s.Since)
	if up >= set.SlowStart {
		return 100
	}
	return least + int(int64(100-least)*int64(max(up, 0))/int64(set.SlowStart))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// words writes a time without the units that are zero.
func words(d time.Duration) string {
	switch {
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d >= time.Second && d%time.Second == 0:
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return d.String()
}
