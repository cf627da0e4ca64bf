package web

import (
	"context"
	"math"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/chart"
	"surefoot/internal/health"
	"surefoot/internal/store"
	"surefoot/internal/watch"
)

// past is what is known of a span.
type past struct {
	store   store.Reader // nil: none is kept, or it cannot be read
	note    string
	span    courseSpan
	buckets map[string][]store.Bucket // by test
	drained map[string][]chart.Span   // by server
	fell    map[string]store.Change   // by test: when it went down last
}

// past asks the history, and does without where there is none.
func (s *Server) past(ctx context.Context, tests []watch.TestReport, some bool, span courseSpan, now time.Time) *past {
	p := &past{store: s.deps.History, span: span, buckets: map[string][]store.Bucket{}, drained: map[string][]chart.Span{}, fell: map[string]store.Change{}}
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
			p.fell[c.Test] = c
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
