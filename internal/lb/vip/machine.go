package vip

import (
	"net/netip"
	"time"

	"surefoot/internal/wire/vrrp"
)

// Phase is where a node stands with an address.
type Phase string

// The phases (RFC 9568 section 6.3, which calls the master active).
const (
	Init   Phase = "init"   // it takes no part: not started, stopped, or its interface is gone
	Backup Phase = "backup" // it listens
	Master Phase = "master" // it has the address
	// Leaving is ours: it said farewell, and has the address until the next one is heard. The standard
	// gives the address up at once, and machines wait for the skew time.
	Leaving Phase = "leaving"
)

// Params are what the machine goes by.
type Params struct {
	Version      int
	Priority     uint8
	Self         netip.Addr // the address that advertisements are sent from
	Interval     time.Duration
	Preempt      bool
	PreemptDelay time.Duration
}

// State is what the machine remembers. The zero value has not started.
type State struct {
	Phase          Phase
	Since          time.Time     // in this phase
	Stays          bool          // of Leaving: it goes on as a backup, or as the master if nobody comes
	Lower          int           // what is subtracted from the priority now
	MasterInterval time.Duration // between the master's advertisements: how long a backup waits goes by it
	Master         netip.Addr    // who was heard last, of a backup; not valid: nobody, or it said farewell
	MasterPriority uint8

	SendAt  time.Time // a master's next advertisement
	DownAt  time.Time // when a backup takes the master for dead, and who leaves stops waiting
	LowerAt time.Time // when a master below us was first heard in a row; zero: none
	RivalAt time.Time // when, as master, another master was heard last
	Rival   netip.Addr
	Rivals  int // advertisements of it, in a row
}

// Event is what happens to the machine. One of the types below.
type Event interface{ event() }

type (
	// Startup begins. Adopt goes on as the master that this node was before.
	Startup struct{ Adopt bool }
	// Shutdown ends. Quiet says no farewell, and Keep leaves the address where it is.
	Shutdown struct{ Quiet, Keep bool }
	// Heard is somebody's advertisement.
	Heard struct {
		From     netip.Addr
		Priority uint8
		Interval time.Duration
	}
	// Lower says what is subtracted from the priority from now on.
	Lower struct{ By int }
	// Tick says that time has passed.
	Tick struct{}
)

func (Startup) event()  {}
func (Shutdown) event() {}
func (Heard) event()    {}
func (Lower) event()    {}
func (Tick) event()     {}

// Verb is what is to be done.
type Verb int

// The verbs.
const (
	Claim    Verb = iota // put the address on the interface
	Release              // take it off
	Announce             // tell the neighbours whose the address is
	Send                 // an advertisement, with Priority
)

// Action is one thing to do, in the order of the list.
type Action struct {
	Do       Verb
	Priority uint8
}

// Effective is the priority that the node has now. An owner's is never lowered (RFC 9568 section 5.2.4).
func (p Params) Effective(s State) uint8 {
	if p.Priority == vrrp.PriorityOwner {
		return p.Priority
	}
	return uint8(max(1, int(p.Priority)-s.Lower))
}

// skew lets the best backup be the first (RFC 9568 section 6.1; RFC 3768 section 6.1 in whole seconds).
func (p Params) skew(s State) time.Duration {
	unit := s.MasterInterval
	if p.Version == 2 {
		unit = time.Second
	}
	return time.Duration(256-int(p.Effective(s))) * unit / 256
}

// Down is how long the master may be silent.
func (p Params) Down(s State) time.Duration { return 3*s.MasterInterval + p.skew(s) }

// yields reports whether the node has to say farewell to be followed by a better one: others that do not
// preempt, or wait before they do, would leave it where it is.
func (p Params) yields() bool { return !p.Preempt || p.PreemptDelay > 0 }

// Next is when the machine wants to hear of the time; zero: not by itself.
func (s State) Next() time.Time {
	switch s.Phase {
	case Backup, Leaving:
		return s.DownAt
	case Master:
		return s.SendAt
	}
	return time.Time{}
}

// Step is the whole of the election: RFC 9568 section 6.4, and RFC 3768 section 6.4 for version 2.
func Step(now time.Time, p Params, s State, ev Event) (State, []Action) {
	if l, ok := ev.(Lower); ok {
		return p.lower(now, s, l.By)
	}
	switch s.Phase {
	case Backup:
		return p.backup(now, s, ev)
	case Master:
		return p.master(now, s, ev)
	case Leaving:
		return p.leaving(now, s, ev)
	}
	start, ok := ev.(Startup)
	switch {
	case !ok:
		return s, nil
	case p.Priority == vrrp.PriorityOwner || start.Adopt: // (105) to (140)
		return p.take(now, s)
	}
	return p.follow(now, s, p.Interval), nil
}

// take becomes the master. The address is there before anybody is told.
func (p Params) take(now time.Time, s State) (State, []Action) {
	s = State{Phase: Master, Since: now, Lower: s.Lower, MasterInterval: p.Interval, SendAt: now.Add(p.Interval)}
	return s, []Action{{Do: Claim}, {Do: Send, Priority: p.Effective(s)}, {Do: Announce}}
}

// follow becomes a backup of somebody who advertises so often.
func (p Params) follow(now time.Time, s State, interval time.Duration) State {
	s = State{Phase: Backup, Since: now, Lower: s.Lower, MasterInterval: interval}
	s.DownAt = now.Add(p.Down(s))
	return s
}

// heard notes who the master is, and waits for its next advertisement.
func (p Params) heard(now time.Time, s State, h Heard) State {
	if p.Version != 2 { // there the interval is the same for all (RFC 3768 section 7.1)
		s.MasterInterval = h.Interval
	}
	s.Master, s.MasterPriority = h.From, h.Priority
	s.DownAt = now.Add(p.Down(s))
	return s
}

func (p Params) backup(now time.Time, s State, ev Event) (State, []Action) {
	switch ev := ev.(type) {
	case Shutdown: // (320)
		return p.end(now, s), nil
	case Tick: // (350): the master is dead
		if now.Before(s.DownAt) {
			return s, nil
		}
		return p.take(now, s)
	case Heard:
		if ev.Priority == vrrp.PriorityFarewell { // (420)
			s.Master, s.MasterPriority, s.LowerAt = netip.Addr{}, 0, time.Time{}
			s.DownAt = now.Add(p.skew(s))
			return s, nil
		}
		if ev.Priority >= p.Effective(s) { // (440)
			s.LowerAt = time.Time{}
			return p.heard(now, s, ev), nil
		}
		if s.LowerAt.IsZero() {
			s.LowerAt = now
		}
		if !p.Preempt || now.Sub(s.LowerAt) < p.PreemptDelay {
			return p.heard(now, s, ev), nil
		}
		s.Master, s.MasterPriority = ev.From, ev.Priority // (465): not waited for any more
	}
	return s, nil
}

func (p Params) master(now time.Time, s State, ev Event) (State, []Action) {
	send := func(s State) (State, []Action) {
		s.SendAt = now.Add(p.Interval)
		return s, []Action{{Do: Send, Priority: p.Effective(s)}}
	}
	switch ev := ev.(type) {
	case Shutdown: // (620)
		switch {
		case ev.Keep:
			return p.end(now, s), nil
		case ev.Quiet:
			return p.end(now, s), []Action{{Do: Release}}
		}
		return p.leave(now, s, false)
	case Tick:
		if now.Before(s.SendAt) {
			return s, nil
		}
		if now.Sub(s.RivalAt) > 3*p.Interval {
			s.Rival, s.Rivals = netip.Addr{}, 0
		}
		return send(s)
	case Heard:
		own := p.Effective(s)
		switch {
		case ev.Priority == vrrp.PriorityFarewell: // (710)
			return send(s)
		case ev.Priority > own, ev.Priority == own && p.Self.Less(ev.From): // (725)
			s = p.heard(now, p.follow(now, s, p.Interval), ev)
			return s, []Action{{Do: Release}}
		}
		// (745): it hears of us at once, and so do those who listened to it.
		s.Rival, s.RivalAt = ev.From, now
		s.Rivals++
		s, do := send(s)
		return s, append(do, Action{Do: Announce})
	}
	return s, nil
}

// lower changes the priority. A master that others will not push aside steps aside; where nobody takes
// over it stays.
func (p Params) lower(now time.Time, s State, by int) (State, []Action) {
	was := p.Effective(s)
	s.Lower = by
	is := p.Effective(s)
	if s.Phase != Master || is == was {
		return s, nil
	}
	if is < was && p.yields() {
		return p.leave(now, s, true)
	}
	s.SendAt = now.Add(p.Interval)
	return s, []Action{{Do: Send, Priority: is}}
}

// end is where a stopped machine stands.
func (p Params) end(now time.Time, s State) State {
	return State{Phase: Init, Since: now, Lower: s.Lower}
}

// leaveSlack is what the next one may take beyond its skew time, which is less than an interval.
const leaveSlack = 100 * time.Millisecond

// leave says farewell, and waits for the next one.
func (p Params) leave(now time.Time, s State, stays bool) (State, []Action) {
	wait := p.Interval
	if p.Version == 2 {
		wait = time.Second
	}
	s = State{Phase: Leaving, Since: now, Lower: s.Lower, MasterInterval: p.Interval, Stays: stays, DownAt: now.Add(wait + leaveSlack)}
	return s, []Action{{Do: Send, Priority: vrrp.PriorityFarewell}}
}

func (p Params) leaving(now time.Time, s State, ev Event) (State, []Action) {
	switch ev := ev.(type) {
	case Shutdown:
		switch {
		case ev.Quiet:
			return p.end(now, s), []Action{{Do: Release}}
		case s.Stays:
			return p.leave(now, s, false)
		}
	case Heard:
		switch {
		case ev.Priority == vrrp.PriorityFarewell:
		case s.Stays:
			return p.heard(now, p.follow(now, s, p.Interval), ev), []Action{{Do: Release}}
		default:
			return p.end(now, s), []Action{{Do: Release}}
		}
	case Tick:
		switch {
		case now.Before(s.DownAt):
		case s.Stays:
			return p.take(now, s)
		default:
			return p.end(now, s), []Action{{Do: Release}}
		}
	}
	return s, nil
}
