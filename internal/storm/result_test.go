package storm

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"surefoot/internal/chart"
	"surefoot/internal/probe"
)

func TestPercentiles(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for _, tt := range []struct {
		times []time.Duration
		want  Percentiles
	}{
		{nil, Percentiles{}},
		{[]time.Duration{7}, Percentiles{7, 7, 7, 7}},
		{[]time.Duration{3, 1, 2}, Percentiles{2, 3, 3, 3}},
		{[]time.Duration{4, 3, 2, 1}, Percentiles{2, 4, 4, 4}},
		{hundred, Percentiles{50, 90, 99, 100}},
	} {
		if got := percentiles(tt.times); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.times, got, tt.want)
		}
	}
}

func TestPoints(t *testing.T) {
	for _, n := range []int{0, 1, 3, 160, 5000} {
		var begun []time.Duration
		var done, failed []sample
		for i := range n {
			begun = append(begun, time.Duration(i))
			done = append(done, sample{ended: time.Duration(n + (i*7919)%max(n, 1))})
			failed = append(failed, sample{ended: time.Duration(2*n - i)})
		}
		pts := points(begun, done, failed)
		if len(pts) > mostPoints+2 || len(pts) < min(3*n, mostPoints/2) {
			t.Errorf("%d samples: %d points", n, len(pts))
		}
		if n > 0 && (pts[len(pts)-1].Done != n || pts[len(pts)-1].Failed != n || pts[len(pts)-1].Begun != n) {
			t.Errorf("%d samples: the last point is %+v", n, pts[len(pts)-1])
		}
		for i := 1; i < len(pts); i++ {
			a, b := pts[i-1], pts[i]
			if b.At < a.At || b.Begun < a.Begun || b.Done < a.Done || b.Failed < a.Failed || a == b {
				t.Errorf("%d samples: %+v, then %+v", n, a, b)
			}
		}
	}
	at := func(ds ...time.Duration) (out []sample) {
		for _, d := range ds {
			out = append(out, sample{ended: d})
		}
		return out
	}
	got := points([]time.Duration{5, 0, 1}, at(7, 5), at(6))
	want := []Point{{0, 1, 0, 0}, {1, 2, 0, 0}, {5, 3, 0, 0}, {5, 3, 1, 0}, {6, 3, 1, 1}, {7, 3, 2, 1}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestTimers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var h timers
	var want []time.Duration
	for i := range 1000 {
		at := time.Duration(rnd.IntN(300))
		h.push(timer{at, i})
		want = append(want, at)
		if i%3 == 2 {
			slices.Sort(want)
			if got := h.pop().at; got != want[0] {
				t.Fatalf("pop: %d, want %d", got, want[0])
			}
			want = want[1:]
		}
	}
	slices.Sort(want)
	for _, at := range want {
		if got := h.pop().at; got != at {
			t.Fatalf("pop: %d, want %d", got, at)
		}
	}
}

// The dice of a download depend on the seed and its number, and lose the share that was asked for.
func TestLoss(t *testing.T) {
	r := &runner{cfg: Config{Loss: 0.1, Seed: 42}}
	throw := func(seed, number uint64) (lost []int) {
		var s slot
		s.loss.Seed(seed, number)
		for i := range 10_000 {
			if r.lost(&s) {
				lost = append(lost, i)
			}
		}
		return lost
	}
	a := throw(42, 7)
	if len(a) < 900 || len(a) > 1100 {
		t.Errorf("%d of 10000 lost, want about 1000", len(a))
	}
	if !slices.Equal(a, throw(42, 7)) {
		t.Error("the same seed loses other packets")
	}
	if slices.Equal(a, throw(42, 8)) || slices.Equal(a, throw(43, 7)) {
		t.Error("another download or seed loses the same packets")
	}
}

func run(clients, done, failed int, elapsed time.Duration) *Result {
	r := &Result{
		Target: "tftp://10.0.0.5/a&b<c>.efi", Clients: clients, Begun: done + failed, Done: done, Failed: failed, Elapsed: elapsed,
		BytesPerSecond: 331.5e6, DownloadsPerSecond: float64(done) / elapsed.Seconds(), Busy: 0.5,
		Time: Percentiles{P50: elapsed / 2, P90: elapsed / 10 * 9, P99: elapsed, Max: elapsed},
	}
	for i := range 20 {
		r.Progress = append(r.Progress, Point{At: elapsed * time.Duration(i+1) / 20, Begun: r.Begun * min(i+5, 20) / 20, Done: done * (i + 1) / 20, Failed: failed * (i + 1) / 20})
	}
	if failed > 0 {
		r.Failures = []Failure{{Code: probe.NoAnswer, Count: failed}}
	}
	return r
}

// What an administrator looks for in the picture.
func TestPicture(t *testing.T) {
	now, before := run(1000, 900, 100, 3160*time.Millisecond), run(1000, 1000, 0, 23*time.Second)
	c := Picture([]Line{{"this run", now}, {"before", before}})
	if c.X.Most != 23 || c.Y.Most != 1000 || c.X.Label != "seconds since the first client asked" {
		t.Errorf("axes %+v %+v", c.X, c.Y)
	}
	var key []string
	for _, e := range c.Key {
		key = append(key, e.Text)
	}
	want := []string{
		"this run: 1000 clients, 900 done in 3.16 s, 331.5 MB/s; a download: p50 1.58 s, p90 2.84 s, p99 3.16 s",
		"100 failed: 100 no-answer",
		"before: 1000 clients, 1000 done in 23.00 s, 331.5 MB/s; a download: p50 11.5 s, p90 20.7 s, p99 23 s",
	}
	if !slices.Equal(key, want) {
		t.Errorf("key %q", key)
	}
	var marks []string
	crosses := 0
	for _, m := range c.Marks {
		if m.Shape == chart.Cross {
			crosses++
			continue
		}
		marks = append(marks, fmt.Sprintf("%d: %s", m.Look, m.Text))
	}
	// Of 1000 this run never had 99 %, nor 90 % before its end.
	if want := []string{"0: 50 % 1.9 s", "0: 90 % 3.16 s", "1: 50 % 11.5 s", "1: 90 % 20.7 s", "1: 99 % 23 s"}; !slices.Equal(marks, want) {
		t.Errorf("marks %q", marks)
	}
	if crosses < 10 || crosses > 40 {
		t.Errorf("%d crosses", crosses)
	}
	last := func(l chart.Line) chart.Point { return l.Points[len(l.Points)-1] }
	if len(c.Lines) != 5 || last(c.Lines[0]).Y != 1000 || last(c.Lines[1]).Y != 100 || last(c.Lines[2]) != (chart.Point{X: 3.16, Y: 900}) || last(c.Lines[4]).X != 23 {
		t.Errorf("lines end at %v", c.Lines)
	}
	if c.Lines[2].Dashes == c.Lines[4].Dashes {
		t.Error("two runs differ by their colour only")
	}

	// A result of an earlier version, without what was begun; one without a download; a short one; a long one.
	old := run(10, 10, 0, time.Second)
	for i := range old.Progress {
		old.Progress[i].Begun = 0
	}
	if c := Picture([]Line{{"old", old}}); len(c.Lines) != 1 || c.X.Most != 1000 || c.X.Label != "milliseconds since the first client asked" {
		t.Errorf("old: %+v", c)
	}
	none := &Result{Target: "tftp://h/f", Clients: 5, Begun: 5, Failed: 5, Elapsed: 10 * time.Second}
	if c := Picture([]Line{{"this run", none}}); len(c.Marks) != 0 || c.Key[0].Text != "this run: 5 clients, 0 done in 10.00 s, 0.0 MB/s" {
		t.Errorf("none: %+v", c)
	}
	if c := Picture([]Line{{"long", run(5, 5, 0, time.Hour)}}); c.X.Most != 60 || !strings.HasPrefix(c.X.Label, "minutes") {
		t.Errorf("long: %+v", c.X)
	}
}

func TestCompare(t *testing.T) {
	now, before := run(1000, 1000, 0, 2*time.Second), run(1000, 900, 100, 4*time.Second)
	got := map[string]Row{}
	for _, r := range Compare(now, before) {
		got[r.Name] = r
	}
	for _, want := range []Row{
		{"downloads/s", 500, 225, 500.0 / 225},
		{"download p50 ms", 1000, 2000, 0.5},
		{"failed", 0, 100, 0},
		{"done", 1000, 900, 1000.0 / 900},
		{"retransmissions", 0, 0, 0},
		{"generator busy %", 50, 50, 1},
	} {
		if got[want.Name] != want {
			t.Errorf("%+v, want %+v", got[want.Name], want)
		}
	}
}

func TestReadResult(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	r := run(3, 2, 1, time.Second)
	r.Failures = []Failure{{Code: probe.NoAnswer, Step: probe.StepRequest, Count: 1, Example: "x"}}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadResult(write("good", string(b)))
	if err != nil || back.Done != 2 || back.Failures[0] != r.Failures[0] || back.Time != r.Time || len(back.Progress) != 20 {
		t.Errorf("%+v, %v", back, err)
	}
	for name, has := range map[string]string{write("other", `{"a":1}`): "not a result", write("bad", "x"): "invalid character", filepath.Join(dir, "absent"): "no such file"} {
		if _, err := ReadResult(name); err == nil || !strings.Contains(err.Error(), has) {
			t.Errorf("%s: %v, want %q", name, err, has)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Config{Server: places['S'], File: "f", Clients: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	f := func(has string, change func(*Config)) {
		t.Helper()
		c := good
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), has) {
			t.Errorf("%v, want %q", err, has)
		}
	}
	f("clients", func(c *Config) { c.Clients = 0 })
	f("clients", func(c *Config) { c.Clients = MaxClients + 1 })
	f("loss", func(c *Config) { c.Loss = 1 })
	f("downloads", func(c *Config) { c.Downloads = -1 })
	f("window", func(c *Config) { c.Window = 65536 })
	f("blksize", func(c *Config) { c.BlockSize = 7 })
	f("two families", func(c *Config) { c.From = mustPrefix("::1/128") })
	f("no file", func(c *Config) { c.File = "" })
}

func TestStranger(t *testing.T) {
	f := func(addr string, clients int, want bool) {
		t.Helper()
		if c := (Config{Server: mustAddr(addr), Clients: clients}); c.Stranger() != want {
			t.Errorf("%d clients at %s: stranger %v", clients, addr, !want)
		}
	}
	f("10.0.0.5:69", 20000, false)
	f("192.168.1.1:69", 101, false)
	f("127.0.0.1:69", 101, false)
	f("[fd00::1]:69", 101, false)
	f("[fe80::1]:69", 101, false)
	f("[::ffff:10.0.0.5]:69", 101, false)
	f("8.8.8.8:69", 100, false)
	f("8.8.8.8:69", 101, true)
	f("[2001:db8::1]:69", 101, true)
	f("100.64.0.1:69", 101, true)
}
