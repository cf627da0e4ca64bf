package storm

import (
	"strings"
	"testing"
	"time"

	"surefoot/internal/probe"
)

// What a run means is said from its figures alone, and each kind of end has its own words.
func TestMeaning(t *testing.T) {
	f := func(name string, r *Result, wants ...string) {
		t.Helper()
		got := r.meaning()
		if len(got) != len(wants) {
			t.Errorf("%s: %d sentences: %q", name, len(got), got)
			return
		}
		for i, want := range wants {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: %q, want %q", name, got[i], want)
			}
		}
	}
	with := func(r *Result, change func(*Result)) *Result {
		change(r)
		return r
	}
	second := time.Second
	f("the server is the limit", run(100, 100, 0, 2*second), "100 machines got the file, the last one 2 s after the first had asked, half of them after 1 s.", "(50 % busy)")
	f("the same machine", with(run(100, 100, 0, 2*second), func(r *Result) { r.Target = "tftp://127.0.0.1/f" }), "100 machines", "shared this machine")
	f("generator", with(run(100, 100, 0, 2*second), func(r *Result) { r.Busy = 0.97 }), "100 machines", "this generator (97 % busy)")
	f("closed loop", with(run(10, 100, 0, 2*second), func(r *Result) {}), "100 machines got the file, at most 10 at the same time: 50 a second; at that rate 1000 machines take 20 s.", "processor")
	kept := with(run(10, 100, 0, 20*second), func(r *Result) {
		r.Arrive = "rate 5/s"
		for i := range r.Progress {
			r.Progress[i].Begun = min(100, r.Progress[i].Done+1)
		}
	})
	f("kept up", kept, "5 a second.", "kept up")
	f("did not keep up", with(run(100, 100, 0, 20*second), func(r *Result) { r.Arrive = "uniform 3s" }), "100 machines", "the limit was the server's processor")
	f("loss", with(run(100, 100, 0, 2*second), func(r *Result) { r.Loss, r.Duplicates = 0.01, 7 }), "100 machines", "7 blocks came twice")
	f("requests lost", with(run(100, 100, 0, 2*second), func(r *Result) { r.RequestsLost = 12 }), "100 machines", "12 first requests")
	f("lost on purpose", with(run(100, 100, 0, 2*second), func(r *Result) { r.RequestsLost, r.Loss = 12, 0.01 }), "100 machines", "on purpose")

	died := with(run(100, 40, 60, 30*second), func(r *Result) {
		r.Failures = []Failure{{Code: probe.Refused, Count: 50}, {Code: probe.NoAnswer, Count: 10}}
		r.Progress = []Point{{second, 40, 40, 0}, {20 * second, 100, 40, 0}, {30 * second, 100, 40, 60}}
	})
	f("the server died", died, "40 of 100 machines got the file, the last one 1 s after", "Nothing was delivered after 1 s, though 60 more machines asked")
	dropped := with(run(100, 98, 2, 30*second), func(r *Result) {
		r.Progress = []Point{{0, 100, 0, 0}, {second, 100, 98, 0}, {30 * second, 100, 98, 2}}
	})
	f("some got no answer", dropped, "98 of 100 machines", "2 machines got no answer")
	f("busy server", with(run(100, 98, 2, 2*second), func(r *Result) { r.Failures[0].Code = probe.ServerError }), "98 of 100", "refused 2 machines by an ERROR")
	f("other content", with(run(100, 98, 2, 2*second), func(r *Result) { r.Failures[0].Code = probe.WrongHash }), "98 of 100", "other content")
	f("nothing but other faults", with(run(100, 0, 5, 2*second), func(r *Result) { r.Failures[0].Code = probe.TooSlow }), "No machine got the file.", "surefoot probe")
	f("nothing at all", with(run(100, 0, 5, 2*second), func(r *Result) { r.Progress = nil }), "No machine got the file.", "5 machines got no answer")
	f("interrupted at once", &Result{Begun: 5, Clients: 5, Interrupted: true, Unfinished: 5}, "Interrupted before")
	f("nothing begun", &Result{})
}

func TestTimeLeft(t *testing.T) {
	f := func(name string, c Config, p Progress, want time.Duration) {
		t.Helper()
		p.Total = c.total()
		if got := c.left(p); got != want {
			t.Errorf("%s: %s left, want %s", name, got, want)
		}
	}
	second := time.Second
	f("nothing known", Config{Clients: 100}, Progress{Elapsed: second, Running: 100}, -1)
	f("as it went so far", Config{Clients: 100}, Progress{Elapsed: 2 * second, Done: 20, Failed: 20}, 3*second)
	f("the last one comes later", Config{Clients: 100, Arrive: Arrival{kind: uniform, over: 30 * second}}, Progress{Elapsed: 2 * second, Done: 50}, 28*second)
	f("a rate", Config{Clients: 10, Downloads: 101, Arrive: Arrival{kind: fixedRate, rate: 1}}, Progress{Elapsed: 60 * second, Done: 100}, 40*second)
	f("duration", Config{Clients: 10, Duration: 30 * second}, Progress{Elapsed: 10 * second, Done: 5}, 20*second)
	f("duration and downloads", Config{Clients: 10, Downloads: 1000, Duration: 30 * second}, Progress{Elapsed: 10 * second, Done: 5}, 20*second)
	f("over", Config{Clients: 10, Duration: 30 * second}, Progress{Elapsed: 31 * second, Done: 5}, 0)
}
