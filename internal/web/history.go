package web

import (
	"context"
	"time"

	"surefoot/internal/store"
)

// History is the course of tests over a time. Fields are only ever added. Times are in seconds;
// where nothing was delivered they are absent, and not 0.
type History struct {
	Since  time.Time       `json:"since"`
	Until  time.Time       `json:"until"`
	Step   float64         `json:"step_seconds"`
	Series []HistorySeries `json:"series"`
}

// HistorySeries is the course of one test.
type HistorySeries struct {
	Test   string         `json:"test"`
	Server string         `json:"server"`
	File   string         `json:"file,omitempty"`
	Whole  HistoryPoint   `json:"whole"` // of all the time
	Points []HistoryPoint `json:"points"`
}

// HistoryPoint is what one step was like.
type HistoryPoint struct {
	At           time.Time `json:"at"`
	Runs         int       `json:"runs"`
	Good         int       `json:"good"`
	Availability *float64  `json:"availability_percent,omitempty"`
	Min          *float64  `json:"min_seconds,omitempty"`
	Mean         *float64  `json:"mean_seconds,omitempty"`
	Median       *float64  `json:"median_seconds,omitempty"`
	P95          *float64  `json:"p95_seconds,omitempty"`
	Max          *float64  `json:"max_seconds,omitempty"`
	FirstBlock   *float64  `json:"first_block_seconds,omitempty"` // the mean
	Bytes        int64     `json:"bytes"`
	Retransmits  int64     `json:"retransmits"`
	Cause        string    `json:"cause,omitempty"` // of the last failure
}

// AskHistory asks a store; the node's API and a command without a node give the same.
func AskHistory(ctx context.Context, r store.Reader, q store.Query) (History, error) {
	list, err := r.Series(ctx, q)
	if err != nil {
		return History{}, err
	}
	out := History{Since: store.Align(q.Since, q.Step), Until: q.Until, Step: q.Step.Seconds(), Series: []HistorySeries{}}
	for _, s := range list {
		x := HistorySeries{Test: s.Test, Server: s.Server, File: s.File}
		whole := store.Bucket{Start: out.Since}
		for i := range s.Buckets {
			whole.Merge(&s.Buckets[i])
			x.Points = append(x.Points, pointOf(&s.Buckets[i]))
		}
		x.Whole = pointOf(&whole)
		out.Series = append(out.Series, x)
	}
	return out, nil
}

func pointOf(b *store.Bucket) HistoryPoint {
	p := HistoryPoint{At: b.Start, Runs: b.Runs, Good: b.Good, Bytes: b.Bytes, Retransmits: b.Retransmits, Cause: b.Cause}
	if a, ok := b.Availability(); ok {
		p.Availability = &a
	}
	if b.Good == 0 {
		return p
	}
	seconds := func(d time.Duration) *float64 { s := d.Seconds(); return &s }
	median, _ := b.Quantile(.5)
	p95, _ := b.Quantile(.95)
	p.Min, p.Median, p.P95, p.Max = seconds(b.Min), seconds(median), seconds(p95), seconds(b.Max)
	p.Mean, p.FirstBlock = seconds(b.Sum/time.Duration(b.Good)), seconds(b.First/time.Duration(b.Good))
	return p
}
