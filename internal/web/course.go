package web

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"math"
	"slices"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/chart"
	"surefoot/internal/health"
	"surefoot/internal/store"
	"surefoot/internal/watch"
)

// courseSpan is a length of time that a reader of the page can choose.
type courseSpan struct {
	Name, Words string
	length      time.Duration
	step        time.Duration // at most 288 of them
}

func courseSpans() []courseSpan {
	const day = 24 * time.Hour
	return []courseSpan{
		{"1h", "hour", time.Hour, 15 * time.Second},
		{"24h", "24 h", day, store.Five},
		{"7d", "7 days", 7 * day, store.Hour},
		{"30d", "30 days", 30 * day, 3 * store.Hour},
	}
}

// usualSpan is the one that is shown to who chooses none.
const usualSpan = 1

const (
	// maxCourses is how many tests the page shows; of more, those in trouble go first.
	maxCourses = 60
	// maxOpen is how many servers are shown whole, whatever they are like.
	maxOpen = 6
)

// courses are what the template sees: each server, and each of its tests.
type courses struct {
	Spans   []courseSpan
	Chosen  courseSpan
	Note    string // why it is not what was asked for
	Fault   bool   // something is broken
	Zone    string
	Servers []serverCourse
	More    int // tests that are not shown
	Off     bool
}

// serverCourse is a server with its tests, or the tests that steer nothing.
type serverCourse struct {
	ID, Name, Address string
	State, Words      string
	Whole             string // availability of all its tests
	Open              bool
	Tests             []testCourse
}

// testCourse is how one test went.
type testCourse struct {
	Title, Target string
	State         string
	Last, Whole   string
	Chart         template.HTML
	Failure       *failure

	all store.Bucket
}

// course gathers what the page shows of a span.
func (s *Server) course(ctx context.Context, span courseSpan, now time.Time) courses {
	out := courses{Spans: courseSpans(), Chosen: span, Zone: now.Format("MST")}
	rep := s.deps.Monitor.Report(watch.Query{Samples: 1 << 20, Diagnoses: true})
	out.Off = len(rep.Tests) == 0
	tests := rep.Tests
	if out.More = len(tests) - maxCourses; out.More > 0 {
		tests = slices.Clone(tests)
		slices.SortStableFunc(tests, func(a, b watch.TestReport) int { return cmp.Compare(urgency(b), urgency(a)) })
		tests = tests[:maxCourses]
	}
	p := s.past(ctx, tests, out.More > 0, span, now)
	p.drains(rep.Servers, now)
	out.Note, out.Fault, out.Chosen = p.note, p.note != "" && s.deps.History != nil, p.span
	if s.deps.History == nil {
		out.Spans = []courseSpan{p.span} // there is nothing to choose
	}
	of := map[string][]testCourse{}
	for i := range tests {
		of[tests[i].Server] = append(of[tests[i].Server], p.test(ctx, &tests[i], now))
	}
	for _, r := range rep.Servers {
		if list := of[r.Name]; len(list) > 0 {
			x := serverCourse{ID: "course-" + r.Name, Name: r.Name, Address: r.Address, State: string(r.State), Words: stateWords(r, now), Tests: list}
			x.sum(r.Response)
			x.Open = len(rep.Servers) <= maxOpen || r.State == health.Down || r.State == watch.Partly
			out.Servers = append(out.Servers, x)
		}
	}
	if list := of[""]; len(list) > 0 {
		x := serverCourse{ID: "courses-beside", Name: "Other tests", State: "only", Words: "they steer no answers", Tests: list, Open: len(list) <= maxOpen}
		x.sum(0)
		out.Servers = append(out.Servers, x)
	}
	return out
}

func urgency(t watch.TestReport) int {
	switch {
	case t.State == health.Down:
		return 2
	case t.Last != nil && !t.Last.Good():
		return 1
	}
	return 0
}

// sum says what all its tests were like together.
func (x *serverCourse) sum(response time.Duration) {
	var all store.Bucket
	for i := range x.Tests {
		all.Runs += x.Tests[i].all.Runs
		all.Good += x.Tests[i].all.Good
	}
	x.Whole = "no data"
	if all.Runs > 0 {
		x.Whole = exactPercent(&all) + " available"
		if response > 0 {
			x.Whole += ", now " + chart.Seconds(response)
		}
	}
}

// past is what is known of a span.
type past struct {
	store   store.Reader // nil: none is kept, or it cannot be read
	note    string
	span    courseSpan
	buckets map[string][]store.Bucket  // by test
	drained map[string][]chart.Span    // by server
	fell    map[[2]string]store.Change // by server, or test, and file: when it went down last
}

// past asks the history, and does without where there is none.
func (s *Server) past(ctx context.Context, tests []watch.TestReport, some bool, span courseSpan, now time.Time) *past {
	p := &past{store: s.deps.History, span: span, buckets: map[string][]store.Bucket{}, drained: map[string][]chart.Span{}, fell: map[[2]string]store.Change{}}
	if p.store == nil {
		p.forgets("this node keeps no history (history: {file: PATH} in the site file)")
		return p
	}
	names := []string{""}
	if some { // of thousands only those that are shown
		names = nil
		for _, t := range tests {
			names = append(names, t.Name)
		}
	}
	q := store.Query{Since: now.Add(-span.length), Until: now, Step: span.step}
	for _, q.Name = range names {
		list, err := p.store.Series(ctx, q)
		if err != nil {
			p.forgets("the history cannot be read (" + err.Error() + ")")
			return p
		}
		for _, x := range list {
			p.buckets[x.Test] = x.Buckets
		}
	}
	list, err := p.store.Changes(ctx, store.Query{Until: now, Limit: 10_000}) // one may have begun long ago
	if err != nil {
		p.note = "drains of before are not shown: " + err.Error()
	}
	p.drained = drainedSpans(list, now.Add(-span.length))
	for _, c := range list {
		if c.To == string(health.Down) {
			p.fell[[2]string{cmp.Or(c.Server, c.Test), c.File}] = c
		}
	}
	return p
}

// forgets goes over to what is in memory.
func (p *past) forgets(why string) {
	p.note = why + ": what follows is from memory, since the start and at the most 360 downloads of each test."
	p.store, p.span = nil, courseSpans()[0]
}

// drainedSpans says when which server was drained, of the drains that ended.
func drainedSpans(list []store.Change, since time.Time) map[string][]chart.Span {
	out, from := map[string][]chart.Span{}, map[string]time.Time{}
	for _, c := range list {
		began, ok := from[c.Server]
		switch boot.Reason(c.To) {
		case boot.ServerDrained:
			if !ok { // else it got another reason, or another end
				from[c.Server] = c.At
			}
		case boot.ServerResumed:
			if ok && c.At.After(since) {
				out[c.Server] = append(out[c.Server], chart.Span{From: began, To: c.At})
			}
			delete(from, c.Server)
		}
	}
	return out
}

// drains adds those that hold now: of them the monitor knows best, also where a change was forgotten.
func (p *past) drains(list []watch.ServerReport, now time.Time) {
	for _, r := range list {
		if r.Drain != nil {
			p.drained[r.Name] = append(p.drained[r.Name], chart.Span{From: r.Drain.Since, To: now})
		}
	}
}

// test makes the course of one test.
func (p *past) test(ctx context.Context, t *watch.TestReport, now time.Time) testCourse {
	buckets := p.buckets[t.Name]
	// A step in which a test is not due at all is no gap. Tests move by a tenth of their period.
	step := p.span.step
	if least := t.Every * 12 / 10; step < least {
		step *= (least + step - 1) / step
		buckets = store.Fold(buckets, step)
	}
	since := now.Add(-p.span.length)
	if p.store == nil {
		buckets = remembered(t.Samples, since, step)
	}
	out := testCourse{Title: t.File, Target: t.Target, State: string(t.State), Last: lastWords(t, now)}
	if t.Server == "" || t.File == "" {
		out.Title = t.Name
	}
	c := chart.Course{Since: since, Until: now, Drained: p.drained[t.Server]}
	for i := range buckets {
		b := &buckets[i]
		out.all.Merge(b)
		r := chart.Runs{From: b.Start, To: b.Start.Add(step), All: b.Runs, Good: b.Good, Note: b.Cause}
		if b.Good > 0 {
			r.Least, r.Mean, r.Most = b.Min, b.Sum/time.Duration(b.Good), b.Max
		}
		c.Runs = append(c.Runs, r)
	}
	bridge(c.Runs)
	out.Whole = wholeWords(&out.all, p.span)
	c.Title = fmt.Sprintf("%s: availability and response time, the last %s", t.Name, p.span.Words)
	c.Text = out.Whole + " " + out.Last
	out.Chart = template.HTML(c.SVG()) // it escapes every text
	out.Failure = p.failure(ctx, t, buckets, now)
	return out
}

// bridge lets runs reach the next ones where they came more seldom than a step, as before a reload with
// another period, or where only long steps are kept: no gap is one among its like.
func bridge(list []chart.Runs) {
	away := func(i int) time.Duration { return list[i+1].From.Sub(list[i].From) }
	var reach []time.Time
	for i := 0; i+1 < len(list); i++ {
		least := time.Duration(math.MaxInt64)
		if i > 0 {
			least = away(i - 1)
		}
		if i+2 < len(list) {
			least = min(least, away(i+1))
		}
		to := list[i].To
		if len(list) > 2 && away(i) <= 5*least/2 {
			to = list[i+1].From
		}
		reach = append(reach, to)
	}
	for i, to := range reach {
		list[i].To = to
	}
}

// remembered makes steps of what the monitor has in memory.
func remembered(list []watch.Sample, since time.Time, step time.Duration) []store.Bucket {
	var one []store.Bucket
	for _, s := range list {
		if s.Time.Before(since) {
			continue
		}
		b := store.Bucket{Start: s.Time}
		b.Add(store.Measurement{At: s.Time, Available: s.Good, Response: s.Response})
		one = append(one, b)
	}
	return store.Fold(one, step)
}
