package web

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"slices"
	"time"

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
