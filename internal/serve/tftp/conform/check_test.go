package conform

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// level is how much a check weighs.
type level string

const (
	must   level = "must"   // a MUST of an RFC, or what loses or leaks data when broken
	should level = "should" // a SHOULD, or what boot clients in the field rely on
	info   level = "info"   // either way is right; it is good to know which
)

// check is one named question to a server.
type check struct {
	name   string
	clause string // RFC and section, or the number of a known fact about firmware (F25 and so on)
	level  level
	says   string // what a server does that passes
	run    func(*attempt)
}

// group is a part of the suite.
type group struct {
	title  string
	checks []check
	alone  bool // may kill or hang a bad server: these run after the others, one by one
	slow   bool // take up to a minute: these run with -long only
}

// outcome is a word of the table.
type outcome string

const (
	passed outcome = "pass"
	failed outcome = "FAIL"
	lacked outcome = "lacks" // skipped: the server does not offer the option
	absent outcome = "skip"  // skipped: this machine cannot ask the question
)

// verdict is how a check came out.
type verdict struct {
	number  int
	check   check
	outcome outcome
	seen    string
}

// target is a server under test.
type target struct {
	addr  netip.AddrPort
	root  string        // the directory that it serves; the suite may write there
	wait  time.Duration // how long a packet that must come may take
	limit time.Duration // how long a download may take at most; 0: as each check says
	long  bool          // slow checks too
	// retries is how often a check that failed is run again, with less beside it: on a busy machine
	// a client may see a wait that is the machine's. What a server does wrong it does again.
	retries int
	// revive starts the server again if it died; nil: it cannot be started from here.
	revive func() error
}

// attempt is one run of a check. Its methods that fail end the check.
type attempt struct {
	target target
	local  netip.Addr // this check's own client address
	note   string

	mu      sync.Mutex // guards closers
	closers []io.Closer
}

// stop is what ends a check early.
type stop struct {
	outcome outcome
	seen    string
}

func (a *attempt) failf(format string, args ...any) {
	panic(stop{failed, fmt.Sprintf(format, args...)})
}

// lacks ends the check: the server does not offer an option.
func (a *attempt) lacks(option string) { panic(stop{lacked, "the server does not offer " + option}) }

// cannot ends the check: this machine cannot ask the question.
func (a *attempt) cannot(format string, args ...any) {
	panic(stop{absent, fmt.Sprintf(format, args...)})
}

// seen notes what was seen; the last note stands in the table.
func (a *attempt) seen(format string, args ...any) { a.note = fmt.Sprintf(format, args...) }

func (a *attempt) closeLater(c io.Closer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closers = append(a.closers, c)
}

// loopback reports whether the server is on this machine, so that any address of 127.0.0.0/8 is
// ours to send from.
func (t target) loopback() bool { return t.addr.Addr().Is4() && t.addr.Addr().IsLoopback() }

// local is the client address of check n: one of its own where there are many, so that limits for
// one client address do not mix the checks up.
func (t target) local(n int) netip.Addr {
	switch {
	case t.loopback():
		return netip.AddrFrom4([4]byte{127, 20, byte(n / 250), byte(1 + n%250)})
	case t.addr.Addr().Is4():
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// do runs a check.
func (t target) do(number int, c check) (v verdict) {
	v = verdict{number: number, check: c, outcome: passed}
	a := &attempt{target: t, local: t.local(number)}
	defer func() {
		for _, c := range a.closers {
			_ = c.Close()
		}
		v.seen = a.note
		defer func() { v.seen = strings.ReplaceAll(v.seen, t.root, "ROOT") }()
		if p := recover(); p != nil {
			s, ok := p.(stop)
			if !ok {
				s = stop{failed, fmt.Sprintf("a fault of the check itself: %v", p)}
			}
			v.outcome, v.seen = s.outcome, s.seen
		}
	}()
	c.run(a)
	return v
}

// alive says whether the server answers an ordinary request.
func (t target) alive() bool {
	probe := check{run: func(a *attempt) {
		c := a.client()
		for range 3 {
			if r, err := c.get(rrq("f1", "octet"), habits{limit: 2 * time.Second}); err == nil && len(r.content) == 1 {
				return
			}
		}
		a.failf("no answer")
	}}
	return t.do(0, probe).outcome == passed
}

// run runs checks: side by side as most of them only wait, then those that may do harm.
func (t target) run(suite []group, chosen func(check) bool) []verdict {
	type numbered struct {
		number int
		check
		group group
	}
	var list []numbered
	number := 0
	for _, g := range suite {
		for _, c := range g.checks {
			if number++; chosen(c) {
				list = append(list, numbered{number, c, g})
			}
		}
	}
	out := make([]verdict, len(list))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i, c := range list {
		switch {
		case c.group.alone:
			continue
		case c.group.slow && !t.long:
			out[i] = verdict{c.number, c.check, absent, "takes up to a minute, runs with -long"}
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out[i] = t.do(c.number, c.check)
		})
	}
	wg.Wait()
	for range t.retries {
		var late []int
		for i, c := range list {
			if out[i].outcome == failed && c.level != info && !c.group.alone {
				late = append(late, i)
			}
		}
		if len(late) > 40 {
			break // that is not the machine
		}
		for _, i := range late {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				was := out[i].seen
				if out[i] = t.do(list[i].number, list[i].check); out[i].outcome == passed {
					out[i].seen = strings.TrimPrefix(out[i].seen+"; tried again after: "+was, "; ")
				}
			})
		}
		wg.Wait()
	}
	for i, c := range list {
		if !c.group.alone {
			continue
		}
		out[i] = t.do(c.number, c.check)
		if t.alive() {
			continue
		}
		out[i].outcome, out[i].seen = failed, strings.TrimSuffix("the server answers nobody any more; "+out[i].seen, "; ")
		if t.revive != nil {
			if err := t.revive(); err != nil {
				out[i].seen += "; and cannot be started again: " + err.Error()
			}
		}
	}
	return out
}
