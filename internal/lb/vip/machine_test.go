package vip

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Unix(1_000_000, 0)

func params(priority uint8) Params {
	return Params{Version: 3, Priority: priority, Self: netip.AddrFrom4([4]byte{10, 0, 0, priority}), Interval: time.Second, Preempt: true}
}

func verbs(do []Action) []Verb {
	var out []Verb
	for _, a := range do {
		out = append(out, a.Do)
	}
	return out
}

// Each line of RFC 9568 section 6.4, and what Surefoot adds.
func TestStep(t *testing.T) {
	other := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, last}) }
	backup := func(p Params) State { s, _ := Step(start, p, State{}, Startup{}); return s }
	master := func(p Params) State { s, _ := Step(start, p, State{}, Startup{Adopt: true}); return s }
	still := func(p Params) Params { p.Preempt = false; return p }
	slow := func(p Params) Params { p.PreemptDelay = 30 * time.Second; return p }
	v2 := func(p Params) Params { p.Version = 2; return p }
	down := 3*time.Second + 156*time.Second/256
	for _, c := range []struct {
		name  string
		p     Params
		s     func(Params) State
		after time.Duration
		ev    Event
		phase Phase
		do    []Verb
		next  time.Duration // from the event
	}{
		{"startup", params(100), func(Params) State { return State{} }, 0, Startup{}, Backup, nil, down},
		{"startup of the owner", params(255), func(Params) State { return State{} }, 0, Startup{}, Master, []Verb{Claim, Send, Announce}, time.Second},
		{"startup after a restart", params(100), func(Params) State { return State{} }, 0, Startup{Adopt: true}, Master, []Verb{Claim, Send, Announce}, time.Second},
		{"nothing before the start", params(100), func(Params) State { return State{} }, 0, Heard{Priority: 1, Interval: time.Second}, "", nil, -1},
		{"backup: too early", params(100), backup, time.Second, Tick{}, Backup, nil, down - time.Second},
		{"backup: the master is dead", params(100), backup, down, Tick{}, Master, []Verb{Claim, Send, Announce}, time.Second},
		{"backup: stop", params(100), backup, 0, Shutdown{}, Init, nil, -1},
		{"backup: farewell of the master", params(100), backup, time.Second, Heard{From: other(9)}, Backup, nil, 156 * time.Second / 256},
		{"backup: higher, with its own interval", params(100), backup, time.Second, Heard{other(9), 200, 100 * time.Millisecond}, Backup, nil, 300*time.Millisecond + 15600*time.Millisecond/256},
		{"backup: equal", params(100), backup, time.Second, Heard{other(9), 100, time.Second}, Backup, nil, down},
		{"backup: lower is not waited for", params(100), backup, time.Second, Heard{other(9), 99, time.Second}, Backup, nil, down - time.Second},
		{"backup: lower, without preemption", still(params(100)), backup, time.Second, Heard{other(9), 1, time.Second}, Backup, nil, down},
		{"backup: lower, and it is too early", slow(params(100)), backup, time.Second, Heard{other(9), 1, time.Second}, Backup, nil, down},
		{"version 2 keeps its own interval", v2(params(100)), backup, time.Second, Heard{other(9), 200, 5 * time.Second}, Backup, nil, down},
		{"master: time to advertise", params(100), master, time.Second, Tick{}, Master, []Verb{Send}, time.Second},
		{"master: farewell of another", params(100), master, time.Millisecond, Heard{From: other(9)}, Master, []Verb{Send}, time.Second},
		{"master: higher", params(100), master, time.Millisecond, Heard{other(9), 101, time.Second}, Backup, []Verb{Release}, down},
		{"master: equal, of a higher address", params(100), master, time.Millisecond, Heard{other(101), 100, time.Second}, Backup, []Verb{Release}, down},
		{"master: equal, of a lower address", params(100), master, time.Millisecond, Heard{other(9), 100, time.Second}, Master, []Verb{Send, Announce}, time.Second},
		{"master: lower", params(100), master, time.Millisecond, Heard{other(9), 99, time.Second}, Master, []Verb{Send, Announce}, time.Second},
		{"master: stop waits for the next one", params(100), master, time.Millisecond, Shutdown{}, Leaving, []Verb{Send}, time.Second + leaveSlack},
		{"master: interface gone", params(100), master, time.Millisecond, Shutdown{Quiet: true}, Init, []Verb{Release}, -1},
		{"master: restart", params(100), master, time.Millisecond, Shutdown{Keep: true}, Init, nil, -1},
		{"master: does not deliver, others preempt", params(100), master, time.Millisecond, Lower{50}, Master, []Verb{Send}, time.Second},
		{"master: does not deliver, others do not preempt", still(params(100)), master, time.Millisecond, Lower{50}, Leaving, []Verb{Send}, time.Second + leaveSlack},
		{"master: delivers again", still(params(100)), func(p Params) State { s := master(p); s.Lower = 50; return s }, time.Millisecond, Lower{0}, Master, []Verb{Send}, time.Second},
		{"owner: is never lowered", params(255), master, time.Millisecond, Lower{50}, Master, nil, time.Second - time.Millisecond},
	} {
		s := c.s(c.p)
		now := start.Add(c.after)
		got, do := Step(now, c.p, s, c.ev)
		next := time.Duration(-1)
		if n := got.Next(); !n.IsZero() {
			next = n.Sub(now)
		}
		if got.Phase != c.phase || !slices.Equal(verbs(do), c.do) || next != c.next {
			t.Errorf("%s: %q, does %v, next in %s; want %q, %v, %s", c.name, got.Phase, verbs(do), next, c.phase, c.do, c.next)
		}
	}
}

// A master that leaves has the address until somebody else is heard, or for a second.
func TestLeaving(t *testing.T) {
	p := params(100)
	p.Preempt = false
	m, _ := Step(start, p, State{}, Startup{Adopt: true})
	for _, c := range []struct {
		name  string
		first Event // of the master
		then  Event
		at    time.Duration
		phase Phase
		do    []Verb
	}{
		{"stop, followed", Shutdown{}, Heard{From: p.Self.Next(), Priority: 1, Interval: time.Second}, time.Millisecond, Init, []Verb{Release}},
		{"stop, alone", Shutdown{}, Tick{}, time.Second + leaveSlack, Init, []Verb{Release}},
		{"stop, too early", Shutdown{}, Tick{}, time.Second, Leaving, nil},
		{"stop, another farewell", Shutdown{}, Heard{From: p.Self.Next()}, time.Millisecond, Leaving, nil},
		{"stop, and the interface goes", Shutdown{}, Shutdown{Quiet: true}, time.Millisecond, Init, []Verb{Release}},
		{"yields, followed", Lower{50}, Heard{From: p.Self.Next(), Priority: 1, Interval: time.Second}, time.Millisecond, Backup, []Verb{Release}},
		{"yields, alone", Lower{50}, Tick{}, time.Second + leaveSlack, Master, []Verb{Claim, Send, Announce}},
		{"yields, and is stopped", Lower{50}, Shutdown{}, time.Millisecond, Leaving, []Verb{Send}},
	} {
		s, _ := Step(start, p, m, c.first)
		if s.Phase != Leaving {
			t.Fatalf("%s: %q", c.name, s.Phase)
		}
		got, do := Step(start.Add(c.at), p, s, c.then)
		if got.Phase != c.phase || !slices.Equal(verbs(do), c.do) {
			t.Errorf("%s: %q, does %v; want %q, %v", c.name, got.Phase, verbs(do), c.phase, c.do)
		}
	}
}

// A higher node that comes back waits for its delay from the first time that it hears a lower master,
// and takes the address then.
func TestPreemptDelay(t *testing.T) {
	p := params(200)
	p.PreemptDelay = 30 * time.Second
	s, _ := Step(start, p, State{}, Startup{})
	now := start
	var do []Action
	for s.Phase == Backup {
		if now = now.Add(time.Second); now.Sub(start) > time.Minute {
			t.Fatal("it never takes the address")
		}
		if n := s.Next(); !now.Before(n) {
			s, do = Step(n, p, s, Tick{})
			continue
		}
		s, _ = Step(now, p, s, Heard{From: p.Self.Prev(), Priority: 100, Interval: time.Second})
	}
	if took := now.Sub(start); took < 31*time.Second || took > 36*time.Second || len(do) == 0 {
		t.Errorf("it took the address after %s", took)
	}
}

// net is machines with a network between them that may lose and delay what it carries.
type simnet struct {
	now    time.Time
	p      []Params
	s      []State
	has    []bool
	queue  []delivery
	lossy  func(from, to int) bool
	delay  func() time.Duration
	double time.Time // since when more than one has the address; zero: none or one
	none   time.Time // since when none has it
}

type delivery struct {
	at time.Time
	to int
	ev Heard
}

func (n *simnet) do(i int, ev Event) {
	s, list := Step(n.now, n.p[i], n.s[i], ev)
	n.s[i] = s
	for _, a := range list {
		switch a.Do {
		case Claim:
			n.has[i] = true
		case Release:
			n.has[i] = false
		case Send:
			for j := range n.p {
				if j != i && !n.lossy(i, j) {
					n.queue = append(n.queue, delivery{n.now.Add(n.delay()), j, Heard{n.p[i].Self, a.Priority, n.p[i].Interval}})
				}
			}
		}
	}
}

func (n *simnet) holders() int {
	c := 0
	for _, h := range n.has {
		if h {
			c++
		}
	}
	return c
}

// run lets time pass, and returns the longest times with two holders and with none.
func (n *simnet) run(span time.Duration) (double, none time.Duration) {
	end := n.now.Add(span)
	note := func(since *time.Time, is bool, longest *time.Duration) {
		switch {
		case is && since.IsZero():
			*since = n.now
		case !is:
			*since = time.Time{}
		}
		if !since.IsZero() {
			*longest = max(*longest, n.now.Sub(*since))
		}
	}
	for {
		next, who := end, -1
		for i := range n.s {
			if t := n.s[i].Next(); !t.IsZero() && t.Before(next) {
				next, who = t, i
			}
		}
		first := -1
		for i, d := range n.queue {
			if !d.at.After(next) && (first < 0 || d.at.Before(n.queue[first].at)) {
				first = i
			}
		}
		if first >= 0 {
			next = n.queue[first].at
		}
		if next.After(n.now) {
			n.now = next
		}
		// what was true until now
		if !n.double.IsZero() {
			double = max(double, n.now.Sub(n.double))
		}
		if !n.none.IsZero() {
			none = max(none, n.now.Sub(n.none))
		}
		switch {
		case first >= 0:
			d := n.queue[first]
			n.queue = slices.Delete(n.queue, first, first+1)
			n.do(d.to, d.ev)
		case who >= 0:
			n.do(who, Tick{})
		default:
			return double, none
		}
		note(&n.double, n.holders() > 1, &double)
		note(&n.none, n.holders() == 0, &none)
	}
}

// Two and three machines, a network that loses and cuts, nodes that die, come back and stop delivering:
// once the network is well again, two have the address for no longer than an interval and the delay, and
// soon there is one for good: the best, where nodes preempt.
func TestElectionUnderLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const delay = 20 * time.Millisecond
		count := rapid.IntRange(2, 3).Draw(t, "machines")
		preempt := rapid.Bool().Draw(t, "preempt")
		interval := rapid.SampledFrom([]time.Duration{100 * time.Millisecond, time.Second}).Draw(t, "interval")
		version := 3
		if interval == time.Second {
			version = rapid.IntRange(2, 3).Draw(t, "version")
		}
		n := &simnet{now: start}
		for i := range count {
			p := Params{
				Version: version, Priority: uint8(rapid.IntRange(1, 254).Draw(t, "priority")), Self: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}),
				Interval: interval, Preempt: preempt,
			}
			n.p, n.s, n.has = append(n.p, p), append(n.s, State{}), append(n.has, false)
		}
		loss := rapid.IntRange(0, 100).Draw(t, "loss")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		n.delay = func() time.Duration { return time.Duration(r.Int64N(int64(delay) + 1)) }
		n.lossy = func(int, int) bool { return r.IntN(100) < loss }
		for range rapid.IntRange(1, 8).Draw(t, "troubles") {
			i := rapid.IntRange(0, count-1).Draw(t, "who")
			switch rapid.SampledFrom([]string{"die", "start", "stop", "lower", "raise"}).Draw(t, "what") {
			case "die": // with its interface: the address is gone for the others
				n.s[i], n.has[i] = State{Phase: Init}, false
			case "start":
				n.do(i, Startup{})
			case "stop":
				n.do(i, Shutdown{})
			case "lower":
				n.do(i, Lower{100})
			case "raise":
				n.do(i, Lower{0})
			}
			n.run(time.Duration(rapid.IntRange(0, 5000).Draw(t, "ms")) * time.Millisecond)
		}
		n.lossy = func(int, int) bool { return false }
		n.run(2 * time.Second) // those that leave have left
		for i := range n.s {
			n.do(i, Startup{}) // has no effect on those that run
		}
		n.double, n.none = time.Time{}, time.Time{}
		if n.holders() > 1 {
			n.double = n.now
		}
		double, _ := n.run(20 * max(interval, time.Second))
		if limit := interval + 2*delay + time.Second + leaveSlack; double > limit { // a leaving one keeps it for a moment
			t.Fatalf("two have the address for %s in a healthy network", double)
		}
		n.double, n.none = time.Time{}, time.Time{}
		double, none := n.run(20 * interval)
		if double > 0 || none > 0 || n.holders() != 1 {
			t.Fatalf("%d have the address; two for %s, none for %s", n.holders(), double, none)
		}
		if preempt {
			best := 0
			for i := range n.p {
				if n.p[i].Effective(n.s[i]) > n.p[best].Effective(n.s[best]) {
					best = i
				}
			}
			for i := range n.p {
				if n.has[i] && n.p[i].Effective(n.s[i]) < n.p[best].Effective(n.s[best]) {
					t.Fatalf("machine %d of priority %d has the address, and machine %d has %d", i, n.p[i].Effective(n.s[i]), best, n.p[best].Effective(n.s[best]))
				}
			}
		}
	})
}

// In a healthy network nobody ever waits long: the death of the master is bridged within three intervals
// and the skew, a stop without any gap, and there is no moment with two but that of the handing over.
func TestGaps(t *testing.T) {
	for _, interval := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second} {
		n := &simnet{now: start, lossy: func(int, int) bool { return false }, delay: func() time.Duration { return time.Millisecond }}
		for _, priority := range []uint8{200, 100} {
			p := params(priority)
			p.Interval = interval
			n.p, n.s, n.has = append(n.p, p), append(n.s, State{}), append(n.has, false)
		}
		n.do(0, Startup{})
		n.do(1, Startup{})
		n.run(10 * interval)
		n.s[0], n.has[0], n.none = State{Phase: Init}, false, n.now // a power failure
		double, none := n.run(10 * interval)
		if limit := 3*interval + 156*interval/256 + time.Millisecond; double > 0 || none > limit || none < 2*interval {
			t.Errorf("%s: death: two for %s, none for %s; want at most %s", interval, double, none, limit)
		}
		n.none = time.Time{}
		n.do(0, Startup{})
		double, none = n.run(10 * interval)
		if double > 2*time.Millisecond || none > 0 || !n.has[0] || n.has[1] {
			t.Errorf("%s: return: two for %s, none for %s, has %v", interval, double, none, n.has)
		}
		n.do(0, Shutdown{})
		double, none = n.run(10 * max(interval, 200*time.Millisecond))
		if double > 2*time.Millisecond || none > 0 || n.has[0] || !n.has[1] {
			t.Errorf("%s: stop: two for %s, none for %s, has %v", interval, double, none, n.has)
		}
	}
}
