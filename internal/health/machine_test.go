package health

import (
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// walk steps a machine every ten seconds: + is a good result, - a bad one. It returns the states
// after each, as letters: u, d, ?, and capitals where it changed.
func walk(t *testing.T, s State, set Settings, results string) (State, string) {
	t.Helper()
	var b strings.Builder
	now := start
	if !s.Since.IsZero() {
		now = s.Since
	}
	for _, r := range results {
		now = now.Add(10 * time.Second)
		if r == ' ' {
			b.WriteByte(' ')
			continue
		}
		next, c := s.Step(now, Result{Good: r == '+', Cause: "no answer"}, set)
		letter := map[Status]string{Up: "u", Down: "d", Unknown: "?"}[next.Is()]
		if c != nil {
			letter = strings.ToUpper(letter)
			if c.From != s.Is() || c.To != next.Is() || !c.Time.Equal(now) || c.Text == "" || c.Reason != next.Reason || c.From == c.To {
				t.Errorf("change %+v from %+v to %+v", c, s, next)
			}
		} else if next.Is() != s.Is() {
			t.Errorf("from %s to %s without a change", s.Is(), next.Is())
		}
		b.WriteString(letter)
		s = next
	}
	return s, b.String()
}

func TestHysteresis(t *testing.T) {
	for _, tc := range []struct {
		name          string
		set           Settings
		results, want string
	}{
		{"the first good one brings it up", Settings{}, "+", "U"},
		{"three bad ones bring it down", Settings{}, "+---", "UuuD"},
		{"a good one in between begins the count anew", Settings{}, "+--+--+---", "UuuuuuuuuD"},
		{"two good ones bring it up again", Settings{}, "+---++", "UuuDdU"},
		{"a bad one in between begins that anew", Settings{}, "+---+-++", "UuuDdddU"},
		{"never seen, and bad", Settings{}, "---", "??D"},
		{"never seen, one bad, then good", Settings{}, "--+", "??U"},
		{"one of each is enough where so set", Settings{DownAfter: 1, UpAfter: 1}, "-+-+", "DUDU"},
		{"five of each", Settings{DownAfter: 5, UpAfter: 5}, "+----+----- ++++-+++++", "UuuuuuuuuuD dddddddddU"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, got := walk(t, State{}, tc.set, tc.results); got != tc.want {
				t.Errorf("%s gives %s, want %s", tc.results, got, tc.want)
			}
		})
	}
}

// TestDamping: what goes up and down too often stays down for a while, each time longer, and is
// forgiven in the end.
func TestDamping(t *testing.T) {
	set := Settings{DownAfter: 1, UpAfter: 1}
	s, got := walk(t, State{}, set, "+-+-+-")
	if got != "UDUDUD" || !s.Held.IsZero() {
		t.Fatalf("%s, held until %s", got, s.Held)
	}
	now := s.Since.Add(10 * time.Second)
	var c *Change
	step := func(good bool) { s, c = s.Step(now, Result{Good: good}, set) }
	for _, hold := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		if s.Is() == Down {
			step(true)
		}
		// Flap until it is held again: the window has forgotten some changes meanwhile.
		for range 20 {
			now = now.Add(10 * time.Second)
			step(s.Is() == Down)
			if s.Is() == Down && !s.Held.IsZero() {
				break
			}
		}
		if got := s.Held.Sub(now); got != hold || s.Reason != boot.ServerFlapping || !strings.Contains(s.Text, "up and down") {
			t.Fatalf("held for %s, want %s: %+v", got, hold, s)
		}
		for now.Add(10 * time.Second).Before(s.Held) {
			now = now.Add(10 * time.Second)
			if step(true); c != nil {
				t.Fatalf("up %s before the hold is over", s.Held.Sub(now))
			}
		}
		now = s.Held
		if step(true); c == nil || s.Is() != Up || !s.Held.IsZero() {
			t.Fatalf("not up when the hold is over: %+v", s)
		}
	}
	now = now.Add(time.Hour)
	if step(false); s.Reason != boot.ServerDown {
		t.Errorf("after an hour of calm it is still thought to flap: %+v", s)
	}
}

func TestSlowStart(t *testing.T) {
	s, _ := walk(t, State{}, Settings{}, "+")
	if w := s.Weight(s.Since, Settings{}); w != 100 {
		t.Errorf("at the first start the weight is %d", w)
	}
	s, _ = walk(t, s, Settings{}, "---")
	if w := s.Weight(s.Since, Settings{}); w != 0 {
		t.Errorf("down, the weight is %d", w)
	}
	s, _ = walk(t, s, Settings{}, "++")
	for at, want := range map[time.Duration]int{-time.Second: 10, 0: 10, 10 * time.Second: 40, 29 * time.Second: 97, 30 * time.Second: 100, time.Hour: 100} {
		if w := s.Weight(s.Since.Add(at), Settings{}); w != want {
			t.Errorf("%s after it came up the weight is %d, want %d", at, w, want)
		}
	}
	if w := s.Weight(s.Since, Settings{SlowStart: -1}); w != 100 {
		t.Errorf("without a slow start the weight is %d", w)
	}
	if w := (State{}).Weight(start, Settings{}); w != 100 {
		t.Errorf("unknown, the weight is %d", w)
	}
}

// FuzzMachine walks at random, and holds the machine to what it promises whatever comes.
func FuzzMachine(f *testing.F) {
	f.Add(uint8(3), uint8(2), []byte("\x01\x01\x00\x00\x00\x01\x01"))
	f.Add(uint8(1), uint8(1), []byte("\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\xff\x01\x01"))
	f.Fuzz(func(t *testing.T, down, up uint8, results []byte) {
		set := Settings{DownAfter: int(down%8) + 1, UpAfter: int(up%8) + 1}
		full := set.WithDefaults()
		var s State
		now, good, bad := start, 0, 0
		var changes []time.Time
		for _, b := range results { // the lowest bit is the result, the others the seconds that it took
			now = now.Add(time.Duration(b>>1)*time.Second + time.Millisecond)
			was := s
			var c *Change
			s, c = s.Step(now, Result{Good: b&1 == 1}, set)
			if b&1 == 1 {
				good, bad = good+1, 0
			} else {
				good, bad = 0, bad+1
			}
			switch {
			case (c != nil) != (s.Is() != was.Is()):
				t.Fatalf("%s to %s, change %+v", was.Is(), s.Is(), c)
			case s.Is() == Up && bad >= set.DownAfter:
				t.Fatalf("up after %d bad results", bad)
			case s.Is() == Down && good >= set.UpAfter && !now.Before(was.Held):
				t.Fatalf("down after %d good results, held until %s", good, was.Held)
			case c != nil && c.To == Down && bad != set.DownAfter:
				t.Fatalf("down after %d bad results", bad)
			case c != nil && c.To == Up && was.Is() == Down && good < set.UpAfter:
				t.Fatalf("up after %d good results", good)
			case s.Held.Sub(now) > full.FlapMost:
				t.Fatalf("held for %s", s.Held.Sub(now))
			case !s.Held.IsZero() && s.Is() != Down:
				t.Fatal("held, and not down")
			case (s.Weight(now, set) == 0) != (s.Is() == Down) || s.Weight(now, set) > 100:
				t.Fatalf("%s with weight %d", s.Is(), s.Weight(now, set))
			}
			if c != nil && c.From != Unknown {
				changes = append(changes, now)
			}
			// Damping bounds the changes: within a window come as many as are allowed, then one
			// that ends a hold and one that begins the next.
			recent := 0
			for _, at := range changes {
				if now.Sub(at) < full.FlapHold {
					recent++
				}
			}
			if recent > full.FlapChanges+2 {
				t.Fatalf("%d changes within a hold", recent)
			}
		}
	})
}
