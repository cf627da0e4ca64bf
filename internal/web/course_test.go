package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"

	"surefoot/internal/boot"
	"surefoot/internal/chart"
	"surefoot/internal/health"
	"surefoot/internal/journal"
	"surefoot/internal/probe"
	"surefoot/internal/store"
	"surefoot/internal/watch"
)

// memory is a history of what it was told.
type memory struct {
	store.Reader
	list      []store.Measurement // in order
	changes   []store.Change
	diagnoses []watch.Diagnosed
	err       error
	asked     atomic.Int32 // how often for series
}

func (m *memory) Series(_ context.Context, q store.Query) ([]store.Series, error) {
	m.asked.Add(1)
	of := map[string]*store.Series{}
	var names []string
	for _, x := range m.list {
		if x.At.Before(q.Since) || q.Name != "" && x.Test != q.Name {
			continue
		}
		if of[x.Test] == nil {
			of[x.Test] = &store.Series{Test: x.Test, Server: x.Server, File: x.File}
			names = append(names, x.Test)
		}
		b := store.Bucket{Start: x.At}
		b.Add(x)
		of[x.Test].Buckets = append(of[x.Test].Buckets, b)
	}
	var out []store.Series
	for _, n := range names {
		of[n].Buckets = store.Fold(of[n].Buckets, q.Step)
		out = append(out, *of[n])
	}
	return out, m.err
}

func (m *memory) Changes(context.Context, store.Query) ([]store.Change, error) { return m.changes, nil }

func (m *memory) Diagnosis(_ context.Context, q store.Query) (json.RawMessage, error) {
	for _, d := range slices.Backward(m.diagnoses) {
		if !d.Probe.Start.Before(q.Since) && d.Probe.Start.Before(q.Until) {
			return json.Marshal(d)
		}
	}
	return nil, nil
}

// reports is a monitor that says what it is told to.
type reports struct {
	Monitor
	rep watch.Report
}

func (r *reports) Report(watch.Query) watch.Report { return r.rep }

// site adds servers, each with one test.
func (r *reports) site(state health.Status, names ...string) {
	for _, n := range names {
		r.rep.Servers = append(r.rep.Servers, watch.ServerReport{Name: n, Address: "10.10.0.21", State: state, Health: state, Since: time.Now().Add(-10 * time.Minute)})
		r.rep.Tests = append(r.rep.Tests, watch.TestReport{
			Name: n + "/a.0", Server: n, File: "a.0", Target: "tftp://10.10.0.21/a.0", Every: 10 * time.Second, State: state,
			Last: &watch.Result{Time: time.Now(), Availability: 100, Response: 3 * time.Millisecond, FirstBlock: time.Millisecond, Bytes: 2735},
		})
	}
}

// measured has a test every so often for a while, except where skip says so.
func (m *memory) measured(server string, ago, every time.Duration, each func(ago time.Duration, x *store.Measurement) bool) {
	now := time.Now()
	for d := ago; d > 0; d -= every {
		x := store.Measurement{Test: server + "/a.0", Server: server, File: "a.0", At: now.Add(-d), Available: true, Response: 3 * time.Millisecond, FirstBlock: time.Millisecond, Bytes: 2735}
		if each == nil || each(d, &x) {
			m.list = append(m.list, x)
		}
	}
}

func bad(x *store.Measurement, cause string) bool {
	x.Available, x.Response, x.FirstBlock, x.Cause = false, 0, 0, cause
	return true
}

func courseServer(t *testing.T, mon Monitor, past store.Reader) *Server {
	t.Helper()
	j := journal.New(journal.Config{Node: "boot1"})
	s, err := New(Config{Status: loopback}, Deps{
		Journal: j, Gatherer: j.Gatherer(), Status: demoStatus, Ready: func() []string { return nil }, Monitor: mon, History: past, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// words is the text of a page without its elements.
func words(t *testing.T, page string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(" " + n.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// TestCoursePage: what was good, what failed, what nobody measured, and why, in words and drawn.
func TestCoursePage(t *testing.T) {
	mon, past := &reports{}, &memory{}
	mon.site(health.Up, "pvs1")
	mon.site(health.Down, "pvs2")
	x := &mon.rep.Tests[1]
	x.Last = &watch.Result{
		Time: time.Now().Add(-3 * time.Second), Step: probe.StepRequest, Code: probe.NoAnswer,
		Cause: "no answer from 10.10.0.21:69: 3 requests in 2.0 s", Hints: []string{"the host is down, or <b>"},
	}
	mon.rep.Tests = append(mon.rep.Tests, watch.TestReport{Name: "vip", Target: "tftp://10.10.0.20/a.0", Every: time.Hour})
	past.measured("pvs1", 24*time.Hour, 5*time.Minute, func(ago time.Duration, x *store.Measurement) bool { return ago < 6*time.Hour || ago > 9*time.Hour })
	past.measured("pvs2", 24*time.Hour, 5*time.Minute, func(ago time.Duration, x *store.Measurement) bool { return ago > 2*time.Hour || bad(x, "no-answer") })
	s := courseServer(t, mon, past)
	s.deps.Status = func() Status { st := demoStatus(); st.Health = mon.rep.Servers; return st }
	page := get(t, s.guard(s.pages()), "GET", "/").Body.String()
	for _, want := range []string{
		"servers up 1 of 2", "Servers over time hour · 24 h · 7 days · 30 days", "pvs1 10.10.0.21 ✓ up for 10 min 100 % available", "pvs2 10.10.0.21 ✗ down for 10 min 91.6 % available",
		"Last download 0 s ago: good, 3 KB in 3.00 ms, the first block after 1.00 ms.", "Last 24 h: 100 % available, 250 of 250 downloads good; mean 3.00 ms, 95 % within 3.00 ms, slowest 3.00 ms.",
		"Last download 3 s ago: failed, so it has no response time.", "✗ Fails now", "(3 s ago) At asking for the file (step request) Cause no-answer : no answer from 10.10.0.21:69: 3 requests in 2.0 s",
		"To do the host is down, or <b> surefoot server show pvs2 --trace", "Other tests", "No download yet. Last 24 h: no data.", "no data", "down",
	} {
		if !strings.Contains(words(t, page), want) {
			t.Errorf("the page does not say %q: %s", want, words(t, page))
		}
	}
	for _, class := range []string{"ok", "bad", "none", "band", "mean"} {
		if !strings.Contains(page, `<path class="`+class+`"`) {
			t.Errorf("nothing is drawn as %s", class)
		}
	}
	ids := map[string]bool{}
	for _, e := range elements(t, page) {
		for _, a := range e.Attr {
			if a.Key == "id" && ids[a.Val] {
				t.Errorf("two have the id %s", a.Val)
			}
			ids[a.Val] = ids[a.Val] || a.Key == "id"
		}
	}
	if !ids["p-bad"] || !ids["course-pvs2"] || !ids["courses-beside"] {
		t.Errorf("ids %v", ids)
	}
	if body := get(t, s.pages(), "GET", "/body").Body.String(); strings.Contains(body, "<svg") || !strings.Contains(body, `<div id="top">`) || !strings.Contains(body, `<div id="site">`) {
		t.Error("what moves with every boot has the courses in it, or lacks a part")
	}
}

// TestCourseCost: however many readers, the history is asked once in a while; who has it gets no more.
func TestCourseCost(t *testing.T) {
	mon, past := &reports{}, &memory{}
	mon.site(health.Up, "pvs1")
	past.measured("pvs1", time.Hour, 10*time.Second, nil)
	s := courseServer(t, mon, past)
	first := get(t, s.pages(), "GET", "/course?span=1h")
	tag := first.Header().Get("ETag")
	again := get(t, s.pages(), "GET", "/course?span=1h", func(r *http.Request) { r.Header.Set("If-None-Match", tag) })
	if tag == "" || again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("again: %d, %d bytes, tag %q", again.Code, again.Body.Len(), tag)
	}
	get(t, s.pages(), "GET", "/?span=1h")
	if n := past.asked.Load(); n != 1 {
		t.Errorf("the history was asked %d times", n)
	}
	p := s.courses.of("1h")
	p.until = time.Time{}
	if get(t, s.pages(), "GET", "/course?span=1h"); past.asked.Load() != 2 || time.Until(p.until) > mostFresh {
		t.Errorf("old, and asked %d times; good until %s", past.asked.Load(), p.until)
	}
	for _, path := range []string{"/?span=2h", "/course?span=%3Cb%3E"} {
		if w := get(t, s.pages(), "GET", path); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "1h, 24h, 7d, 30d") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, x := range courseSpans() {
		if n := x.length / x.step; n > 300 || n < 100 {
			t.Errorf("%s has %d steps", x.Name, n)
		}
		if w := get(t, s.pages(), "GET", "/course?span="+x.Name); w.Code != 200 || !strings.Contains(w.Body.String(), `<b aria-current="true">`+x.Words+"</b>") {
			t.Errorf("%s: %d", x.Name, w.Code)
		}
	}
}

// TestCourseMany: of many servers, those that are well are one line each, and of too many tests those
// in trouble are shown.
func TestCourseMany(t *testing.T) {
	mon, past := &reports{}, &memory{}
	for i := range 19 {
		mon.site(health.Up, fmt.Sprintf("pvs%d", i))
	}
	mon.site(health.Down, strings.Repeat("very-long-", 20))
	s := courseServer(t, mon, past)
	page := get(t, s.pages(), "GET", "/course").Body.String()
	if strings.Count(page, "<details ") != 20 || strings.Count(page, " open>") != 1 || !strings.Contains(page, `<details class="course down" id="course-very-long-`) || past.asked.Load() != 1 {
		t.Errorf("%d servers, %d open, asked %d times", strings.Count(page, "<details "), strings.Count(page, " open>"), past.asked.Load())
	}
	for i := range 80 {
		mon.site(health.Up, fmt.Sprintf("more%d", i))
	}
	mon.site(health.Down, "last")
	s = courseServer(t, mon, past)
	page = get(t, s.pages(), "GET", "/course").Body.String()
	if n := strings.Count(page, `<svg class="course"`); n != maxCourses || !strings.Contains(page, "and 41 tests more") || !strings.Contains(page, `id="course-last"`) || past.asked.Load() != 1+maxCourses {
		t.Errorf("%d tests, asked %d times", n, past.asked.Load())
	}
}

// TestCourseWithout: without a history the page shows what is in memory, and says so.
func TestCourseWithout(t *testing.T) {
	mon := &reports{}
	mon.site(health.Up, "pvs1")
	for i := range 90 {
		mon.rep.Tests[0].Samples = append(mon.rep.Tests[0].Samples, watch.Sample{Time: time.Now().Add(time.Duration(i-90) * 10 * time.Second), Good: i%10 > 0, Response: 2 * time.Millisecond})
	}
	text := words(t, get(t, courseServer(t, mon, nil).pages(), "GET", "/course").Body.String())
	for _, want := range []string{"Servers over time hour this node keeps no history", "from memory", "Last hour: 90.0 % available, 81 of 90 downloads good; mean 2.00 ms"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	text = words(t, get(t, courseServer(t, mon, &memory{err: errors.New("disk <i>")}).pages(), "GET", "/course?span=7d").Body.String())
	if !strings.Contains(text, "! the history cannot be read (disk <i>)") || !strings.Contains(text, "81 of 90") || !strings.Contains(text, "30 days") {
		t.Errorf("broken: %s", text)
	}
	text = words(t, get(t, courseServer(t, &reports{}, nil).pages(), "GET", "/").Body.String())
	if !strings.Contains(text, "No server is watched") {
		t.Errorf("nothing: %s", text)
	}
}

// TestCourseFailure: the last failure is the last result, a diagnosis in memory or in the history, or
// at least the name of its cause.
func TestCourseFailure(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	at := func(min int, code probe.Code, text string) watch.Diagnosed {
		d := watch.Diagnosed{Time: now.Add(time.Duration(min)*time.Minute + time.Second), Probe: probe.Result{Start: now.Add(time.Duration(min) * time.Minute)}}
		if code != "" {
			d.Probe.Fault = &probe.Fault{Step: probe.StepTransfer, Code: code, Text: text, Hint: []string{"look"}}
		}
		return d
	}
	bucket := func(min int, cause string) store.Bucket {
		return store.Bucket{Start: now.Add(time.Duration(min) * time.Minute), Step: 5 * time.Minute, Runs: 9, Good: 8, Cause: cause}
	}
	good := &watch.Result{Availability: 100}
	refused, stalled := at(-10, probe.Refused, "refused: it says so"), at(-31, probe.Stalled, "after block 9")
	for _, c := range []struct {
		name    string
		test    watch.TestReport
		past    *memory
		buckets []store.Bucket
		want    string
	}{
		{"none", watch.TestReport{Last: good}, nil, []store.Bucket{{Runs: 9, Good: 9}}, ""},
		{"now", watch.TestReport{Last: &watch.Result{Time: now, Step: probe.StepContent, Code: probe.WrongHash, Cause: "other"}, Bad: &stalled}, nil, nil, "true 12:00:00 (0 s ago)|comparing the content (step content)|wrong-hash|other|"},
		{"in memory", watch.TestReport{Last: good, Bad: &refused}, nil, []store.Bucket{bucket(-10, "refused")}, "false 11:50:01 (9 min ago)|taking the file (step transfer)|refused|it says so|look"},
		{"in the history, behind good ones", watch.TestReport{Last: good}, &memory{diagnoses: []watch.Diagnosed{stalled, at(-30, "", ""), at(-29, "", "")}}, []store.Bucket{bucket(-33, "stalled")}, "false 11:29:01 (30 min ago)|taking the file (step transfer)|stalled|after block 9|look"},
		{"newer than in memory", watch.TestReport{Last: good, Bad: &stalled}, &memory{}, []store.Bucket{bucket(-10, "no-answer")}, "false about 11:50:00 (10 min ago)||no-answer||"},
		{"a day before", watch.TestReport{Last: good}, &memory{}, []store.Bucket{bucket(-60*24, "no-answer")}, "false about Tue 24 Nov 12:00:00 (24 h ago)||no-answer||"},
	} {
		p := &past{span: courseSpans()[1], fell: map[string]store.Change{}}
		if c.past != nil {
			p.store = c.past
		}
		got := ""
		if f := p.failure(t.Context(), &c.test, c.buckets, now); f != nil {
			got = fmt.Sprintf("%t %s|%s|%s|%s|%s", f.Now, f.When, f.Step, f.Code, f.Text, strings.Join(f.Look, ","))
		}
		if got != c.want {
			t.Errorf("%s: %s\n      want %s", c.name, got, c.want)
		}
	}
}

func TestDrainedSpans(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	at := func(h int, server string, to boot.Reason) store.Change {
		return store.Change{Server: server, At: now.Add(time.Duration(h) * time.Hour), To: string(to)}
	}
	p := &past{drained: drainedSpans([]store.Change{
		at(-50, "a", boot.ServerDrained), at(-40, "a", boot.ServerResumed), // before
		at(-30, "a", boot.ServerDrained), at(-29, "a", boot.ServerDrained), at(-20, "b", "down"), at(-20, "a", boot.ServerResumed),
		at(-9, "b", boot.ServerResumed), at(-5, "c", boot.ServerDrained), // its end was forgotten
	}, now.Add(-24*time.Hour))}
	p.drains([]watch.ServerReport{{Name: "a", Drain: &health.Drain{Since: now.Add(-time.Hour)}}, {Name: "c"}}, now)
	want := []chart.Span{{From: now.Add(-30 * time.Hour), To: now.Add(-20 * time.Hour)}, {From: now.Add(-time.Hour), To: now}}
	if len(p.drained) != 1 || !slices.Equal(p.drained["a"], want) {
		t.Errorf("%v", p.drained)
	}
}

// TestBridge: runs that come more seldom than a step are no gaps, but a gap among frequent ones is.
func TestBridge(t *testing.T) {
	f := func(starts, want string) {
		t.Helper()
		began := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
		var list []chart.Runs
		for i, c := range starts {
			if c == 'x' {
				at := began.Add(time.Duration(i) * time.Minute)
				list = append(list, chart.Runs{From: at, To: at.Add(time.Minute)})
			}
		}
		bridge(list)
		got := []byte(strings.Repeat(".", len(starts)))
		for _, r := range list {
			for m := r.From; m.Before(r.To); m = m.Add(time.Minute) {
				got[int(m.Sub(began)/time.Minute)] = 'x'
			}
		}
		if string(got) != want {
			t.Errorf("%s: %s, want %s", starts, got, want)
		}
	}
	f("", "")
	f("x..x", "x..x")
	f("xxxxxx", "xxxxxx")
	f("xxx....xxx", "xxx....xxx")
	f("xxx...x...xxx", "xxx...x...xxx")
	f("x.x.x..x.x", "xxxxxxxxxx")
	f("xxxxx.x.x.x", "xxxxxxxxxxx")
}

// TestHistoryMean: the API has the mean of each step, and none where nothing was good.
func TestHistoryMean(t *testing.T) {
	past := &memory{}
	past.measured("pvs1", 10*time.Minute, time.Minute, func(ago time.Duration, x *store.Measurement) bool { return ago > 5*time.Minute || bad(x, "no-answer") })
	w := get(t, courseServer(t, nil, past).api(false), "GET", "/api/v1/history?step=1m")
	var h History
	if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil || len(h.Series) != 1 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	for _, p := range h.Series[0].Points {
		if (p.Good > 0) != (p.Mean != nil) || p.Mean != nil && (*p.Mean < .0029 || *p.Mean > .0031) {
			t.Errorf("%+v", p)
		}
	}
	if strings.Count(w.Body.String(), "mean_seconds") != 6 { // five steps, and the whole
		t.Errorf("%s", w.Body)
	}
}

// Names and causes come from site files and servers: whatever they hold, the picture stays a picture.
func TestCourseHostile(t *testing.T) {
	page := func(evil string) []string {
		mon, past := &reports{}, &memory{}
		mon.site(health.Up, evil)
		x := &mon.rep.Tests[0]
		x.File, x.Target, x.Last = evil, evil, &watch.Result{Step: probe.Step(evil), Code: probe.Code(evil), Cause: evil, Hints: []string{evil}}
		mon.rep.Servers[0].State, mon.rep.Servers[0].Address, mon.rep.Servers[0].Drain = health.Status(evil), evil, &health.Drain{Reason: evil}
		past.measured(evil, time.Hour, time.Minute, func(_ time.Duration, m *store.Measurement) bool { return bad(m, evil) })
		s := courseServer(t, mon, past)
		var names []string
		for _, e := range elements(t, get(t, s.pages(), "GET", "/").Body.String()) {
			names = append(names, e.Data)
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
					t.Errorf("%q: <%s %s>", evil, e.Data, a.Key)
				}
			}
		}
		return names
	}
	plain := page("plain")
	for _, evil := range []string{hostile, `</title></svg><script>alert(1)</script>`, `"onload="alert(1)`, `]]>`, `{{.}}`} {
		if got := page(evil); !slices.Equal(got, plain) {
			t.Errorf("%q changes the page: %d elements, want %d", evil, len(got), len(plain))
		}
	}
}

// demoCourses are a server that is well and was drained, and one that is down again.
func demoCourses(now time.Time) (Monitor, store.Reader) {
	mon, past := &reports{}, &memory{}
	mon.site(health.Up, "pvs1")
	mon.site(health.Down, "pvs2")
	mon.rep.Servers[1].Address = "10.10.0.22"
	mon.rep.Servers[0].Response = 18 * time.Millisecond
	for i, file := range []string{"10.10.0.21/ARDBP32.BIN", "10.10.0.22/ARDBP32.BIN"} {
		mon.rep.Tests[i].File, mon.rep.Tests[i].Target = "ARDBP32.BIN", "tftp://"+file
	}
	mon.rep.Tests[0].Last = &watch.Result{Time: now.Add(-4 * time.Second), Availability: 100, Response: 18 * time.Millisecond, FirstBlock: 2 * time.Millisecond, Bytes: 61440}
	mon.rep.Tests[1].Last = &watch.Result{
		Time: now.Add(-3 * time.Second), Step: probe.StepRequest, Code: probe.NoAnswer, Cause: "no answer from 10.10.0.22:69: 6 requests in 2.0 s",
		Hints: []string{"the host is down, a firewall drops UDP 69, or the server ignores this client (a server at its limit of transfers does)"},
	}
	rng := rand.New(rand.NewPCG(1, 1))
	response := func(ago time.Duration, x *store.Measurement) {
		x.Response = time.Duration((17 + 6*math.Sin(ago.Hours()/4) + 3*rng.ExpFloat64()) * float64(time.Millisecond))
	}
	past.measured("pvs1", 30*24*time.Hour, time.Minute, func(ago time.Duration, x *store.Measurement) bool {
		if response(ago, x); rng.IntN(2000) == 0 {
			x.Response += 500 * time.Millisecond
		}
		return ago < 19*time.Hour || ago > 20*time.Hour
	})
	past.measured("pvs2", 30*24*time.Hour, time.Minute, func(ago time.Duration, x *store.Measurement) bool {
		if response(ago, x); ago < 10*time.Minute || ago > 7*time.Hour && ago < 9*time.Hour || ago > 14*time.Hour && ago < 15*time.Hour && rng.IntN(3) == 0 {
			bad(x, "no-answer")
		}
		return ago < 19*time.Hour || ago > 20*time.Hour
	})
	past.changes = []store.Change{{Server: "pvs1", At: now.Add(-5 * time.Hour), To: string(boot.ServerDrained)}, {Server: "pvs1", At: now.Add(-3 * time.Hour), To: string(boot.ServerResumed)}}
	return mon, past
}
