package watch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/probe"
)

// servers answer probes without any network: those in the set are dead and stay silent.
type servers struct {
	mu      sync.Mutex
	dead    map[string]bool
	runs    map[string]int
	now     int
	most    int
	results []Result
	changes []Change
}

func (s *servers) probe(ctx context.Context, t probe.Target, o probe.Options) probe.Result {
	s.mu.Lock()
	if s.runs == nil {
		s.runs = map[string]int{}
	}
	s.runs[t.Host]++
	s.now++
	s.most = max(s.most, s.now)
	dead := s.dead[t.Host]
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.now--; s.mu.Unlock() }()
	res := probe.Result{Target: t.String(), As: o.As, Available: true, Availability: 100, Response: 5 * time.Millisecond, FirstBlock: time.Millisecond, Size: 1000}
	wait := res.Response
	if dead {
		wait = o.Timeout
		res = probe.Result{Target: t.String(), As: o.As, Retransmits: 3, Fault: &probe.Fault{Step: probe.StepRequest, Code: probe.NoAnswer, Text: "no answer"}}
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		res.Fault = &probe.Fault{Code: probe.Interrupted}
	}
	return res
}

func (s *servers) kill(host string, dead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead == nil {
		s.dead = map[string]bool{}
	}
	s.dead[host] = dead
}

func (s *servers) Result(r Result) { s.mu.Lock(); s.results = append(s.results, r); s.mu.Unlock() }
func (s *servers) Change(c Change) { s.mu.Lock(); s.changes = append(s.changes, c); s.mu.Unlock() }

// site is a configuration with n servers of one file, 10.0.0.1 and so on.
func site(n int) Config {
	cfg := Config{Node: "boot1", Servers: map[string]boot.Server{}, Diagnose: Diagnosis{Normal: 10, Abnormal: 2}}
	g := health.Group{Rule: "rest", File: "f", By: boot.ByTFTP}
	for i := range n {
		name := fmt.Sprintf("s%d", i+1)
		cfg.Servers[name] = boot.Server{Name: name}
		g.Servers = append(g.Servers, name)
		cfg.Tests = append(cfg.Tests, Test{
			Name: name + "/f", Server: name, File: "f", By: boot.ByTFTP, Every: 10 * time.Second, Timeout: 2 * time.Second,
			Target: probe.Target{Scheme: "tftp", Host: name, Port: 69, File: "f"},
		})
	}
	cfg.Groups = []health.Group{g}
	return cfg
}

// run runs a Watcher until the test ends.
func run(t *testing.T, cfg Config, d Deps) *Watcher {
	t.Helper()
	w, err := New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	up := make(chan struct{})
	wg.Go(func() {
		if err := w.Run(ctx, func() { close(up) }); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	<-up
	t.Cleanup(func() { cancel(); wg.Wait() })
	return w
}

// TestDeath: a server that dies is out of the snapshot in time, and one that comes back is in it.
func TestDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s servers
		var events []boot.Event
		w := run(t, site(3), Deps{Probe: s.probe, Sink: &s, Emit: func(ev boot.Event) { s.mu.Lock(); events = append(events, ev); s.mu.Unlock() }})
		time.Sleep(time.Minute)
		s.kill("s2", true)
		began := time.Now()
		for !w.Down("s2", "f", boot.ByTFTP) {
			time.Sleep(100 * time.Millisecond)
		}
		if d := time.Since(began); d > 31*time.Second || d < 10*time.Second {
			t.Errorf("dead after %s", d)
		}
		rep := w.Report(Query{Test: "s2/f", Samples: 40, Diagnoses: true})
		if len(rep.Tests) != 1 {
			t.Fatalf("%+v", rep)
		}
		r := rep.Tests[0]
		if r.State != health.Down || r.Last.Good() || r.Last.Response != 0 || r.Last.Code != probe.NoAnswer || r.Bad == nil || r.Good == nil || r.Reason != boot.ServerDown ||
			r.Samples[0].Good != true || r.Samples[len(r.Samples)-1].Good || *r.Availability >= 100 || r.Last.Diagnosis != nil {
			t.Errorf("report %+v", r)
		}
		if w.Down("s1", "f", boot.ByTFTP) || w.Down("s3", "f", boot.ByTFTP) {
			t.Error("the others suffer")
		}
		s.kill("s2", false)
		began = time.Now()
		for w.Down("s2", "f", boot.ByTFTP) {
			time.Sleep(100 * time.Millisecond)
		}
		if d := time.Since(began); d > 21*time.Second {
			t.Errorf("alive after %s", d)
		}
		if weight := w.Snapshot().Weight("s2", "f", boot.ByTFTP, time.Now()); weight > 20 {
			t.Errorf("it comes back with weight %d", weight)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		var got []string
		for _, c := range s.changes {
			if c.Server == "s2" {
				got = append(got, fmt.Sprintf("%s>%s %s", c.From, c.To, c.Reason))
			}
		}
		if want := []string{"unknown>up server-up", "up>down server-down", "down>up server-up"}; !slices.Equal(got, want) {
			t.Errorf("changes %q, want %q", got, want)
		}
		var told []boot.Reason
		for _, ev := range events {
			if ev.Server == "s2" && ev.Kind == boot.HealthChanged && ev.Role == Role {
				told = append(told, ev.Reason)
			}
		}
		if want := []boot.Reason{boot.ServerUp, boot.ServerDown, boot.ServerUp}; !slices.Equal(told, want) {
			t.Errorf("events %q", told)
		}
		var kept []int // which bad runs in a row were kept whole: the first and then every second
		n := 0
		for _, r := range s.results {
			if r.Server != "s2" || r.Good() {
				continue
			}
			if n++; r.Diagnosis != nil {
				kept = append(kept, n)
			}
		}
		for i, k := range kept {
			if k != 2*i+1 {
				t.Errorf("bad runs that are kept: %d", kept)
			}
		}
		if len(kept) == 0 {
			t.Error("no bad run is kept")
		}
	})
}

// TestAllDead: nobody is left, all are named, and that is found and told once.
func TestAllDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s servers
		var told atomic.Int32
		w := run(t, site(2), Deps{Probe: s.probe, Emit: func(ev boot.Event) {
			if ev.Reason == boot.AllServersDown {
				told.Add(1)
			}
		}})
		time.Sleep(30 * time.Second)
		s.kill("s1", true)
		s.kill("s2", true)
		time.Sleep(time.Minute)
		if found := w.Snapshot().AllDown(); len(found) != 1 || !strings.Contains(found[0].Text, "s1, s2") {
			t.Errorf("findings %+v", found)
		}
		if told.Load() != 1 {
			t.Errorf("told %d times", told.Load())
		}
	})
}

// TestFaultOfOurs says nothing of a server.
func TestFaultOfOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t, site(1), Deps{Probe: func(_ context.Context, t probe.Target, _ probe.Options) probe.Result {
			return probe.Result{Target: t.String(), Fault: &probe.Fault{Step: probe.StepRequest, Code: probe.LocalError, Text: "a firewall of this machine"}}
		}})
		time.Sleep(5 * time.Minute)
		rep := w.Report(Query{})
		if w.Down("s1", "f", boot.ByTFTP) || rep.Servers[0].State != health.Unknown || rep.Servers[0].Cause == "" || rep.Tests[0].Last.Verdict {
			t.Errorf("%+v", rep)
		}
	})
}

// TestPeriod: each test runs as often as it should, not more of them at a time than may, and a
// reload keeps what is known and ends what is no more.
func TestPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s servers
		cfg := site(200)
		w := run(t, cfg, Deps{Probe: s.probe})
		time.Sleep(10 * time.Minute)
		s.mu.Lock()
		for host, n := range s.runs {
			if n < 59 || n > 61 {
				t.Errorf("%s was tested %d times in 10 minutes", host, n)
			}
		}
		if len(s.runs) != 200 || s.most > 10 {
			t.Errorf("%d servers tested, %d at the same time", len(s.runs), s.most)
		}
		s.runs = nil
		s.mu.Unlock()
		less := site(1)
		less.Tests[0].Contains = "" // the same test
		w.Apply(less)
		if rep := w.Report(Query{}); len(rep.Tests) != 1 || rep.Tests[0].State != health.Up || rep.Tests[0].Runs < 59 {
			t.Errorf("after a reload %+v", rep.Tests)
		}
		less.Tests = slices.Clone(less.Tests)
		less.Tests[0].Contains = "something else"
		w.Apply(less)
		if rep := w.Report(Query{}); rep.Tests[0].State != health.Unknown {
			t.Errorf("another test is %s", rep.Tests[0].State)
		}
		time.Sleep(time.Minute)
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.runs) > 2 || s.runs["s1"] < 5 {
			t.Errorf("after a reload %v", s.runs)
		}
	})
}

// TestAllSilent: when everything is dead, tests wait for each other no longer than they must.
func TestAllSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s servers
		cfg := site(1000)
		for i := range 1000 {
			s.kill(fmt.Sprintf("s%d", i+1), true)
		}
		w := run(t, cfg, Deps{Probe: s.probe})
		time.Sleep(45 * time.Second)
		down := 0
		for _, r := range w.Report(Query{}).Tests {
			if r.State == health.Down {
				down++
			}
		}
		if down != 1000 {
			t.Errorf("after 45 s %d of 1000 are known to be dead", down)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.most > concurrency(cfg.Tests) {
			t.Errorf("%d downloads at the same time, more than %d", s.most, concurrency(cfg.Tests))
		}
	})
}

// TestLate: tests that have to wait for others are counted.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := site(40)
		for i := range cfg.Tests {
			cfg.Tests[i].Timeout = 100 * time.Millisecond // so that few may run at the same time
		}
		w := run(t, cfg, Deps{Probe: func(_ context.Context, t probe.Target, _ probe.Options) probe.Result {
			time.Sleep(8 * time.Second) // but they take long
			return probe.Result{Target: t.String(), Available: true, Availability: 100}
		}})
		time.Sleep(time.Minute)
		if n := w.lateStarts.Load(); n < 40 {
			t.Errorf("%d tests began late, of 40 that take 8 s each every 10 s, 16 at the same time", n)
		}
	})
}

// TestWhole: the packets of a run are asked for where it is one to be kept whole, and only there.
func TestWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var good, bad, rooms []bool
		w := run(t, site(1), Deps{Probe: func(_ context.Context, t probe.Target, o probe.Options) probe.Result {
			good, bad, rooms = append(good, o.Traced(true)), append(bad, o.Traced(false)), append(rooms, o.Room != nil)
			return probe.Result{Target: t.String(), Available: true, Availability: 100}
		}})
		time.Sleep(5 * time.Minute)
		if w.Report(Query{Diagnoses: true}).Tests[0].Good == nil || len(good) < 29 {
			t.Fatalf("%d runs, none of them whole", len(good))
		}
		for i := range good {
			if good[i] != (i%10 == 0) || !bad[i] || !rooms[i] {
				t.Errorf("run %d: whole if good %v, if bad %v, with room %v", i+1, good[i], bad[i], rooms[i])
			}
		}
	})
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s servers
		w := run(t, site(2), Deps{Probe: s.probe})
		ctx, cancel := context.WithCancel(t.Context())
		updates := w.Follow(ctx, "s1/f")
		u := <-updates
		if u.Result == nil || u.Result.Test != "s1/f" || !u.Result.Good() {
			t.Errorf("%+v", u)
		}
		if u = <-updates; u.Change == nil || u.Change.To != health.Up {
			t.Errorf("%+v", u)
		}
		time.Sleep(2 * time.Hour) // nobody reads: it goes on all the same
		for range 256 {
			<-updates
		}
		for u = range updates {
			break
		}
		if u.Missed == 0 {
			t.Error("what the reader was too slow for is not told")
		}
		cancel()
		for range updates {
		}
	})
}
