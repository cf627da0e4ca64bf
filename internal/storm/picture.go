package storm

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"surefoot/internal/chart"
)

// Line is one run in a picture.
type Line struct {
	Name   string
	Result *Result
}

// Picture draws downloads asked for, done and failed over time, for each run; the first one names the
// picture.
func Picture(lines []Line) *chart.Chart {
	c := &chart.Chart{Title: "Downloads over time", Y: chart.Axis{Label: "downloads", Most: 1, Whole: true}}
	if len(lines) > 0 {
		c.Title = "Downloads of " + lines[0].Result.Target
	}
	var end time.Duration
	for _, l := range lines {
		c.Y.Most = max(c.Y.Most, float64(l.Result.Begun))
		end = max(end, l.Result.Elapsed)
	}
	unit, name := unitOf(end)
	c.X = chart.Axis{Label: name + " since the first client asked", Most: float64(end) / float64(unit)}
	p := &pictured{Chart: c, unit: float64(unit)}
	for i, l := range lines {
		p.add(chart.Look(i%3), l)
	}
	c.Note = "thick: done;  thin: asked for;  marked: half, 90 and 99 of 100 done"
	return c
}

func unitOf(d time.Duration) (time.Duration, string) {
	switch {
	case d < 2*time.Second:
		return time.Millisecond, "milliseconds"
	case d < 20*time.Minute:
		return time.Second, "seconds"
	}
	return time.Minute, "minutes"
}

// pictured is a picture in the making.
type pictured struct {
	*chart.Chart
	unit float64 // nanoseconds of one unit of the x axis
}

// add draws one run.
func (p *pictured) add(look chart.Look, l Line) {
	r := l.Result
	p.Key = append(p.Key, chart.Entry{Look: look, Dashes: look, Text: l.Name + ": " + caption(r)})
	if r.Failed > 0 {
		p.Key = append(p.Key, chart.Entry{Look: chart.Bad, Cross: true, Text: causes(r)})
	}
	asked := p.stairs(r, func(x Point) int { return x.Begun })
	failed := p.stairs(r, func(x Point) int { return x.Failed })
	if asked[len(asked)-1].Y > 0 { // else it was kept by a version that did not note it
		p.Lines = append(p.Lines, chart.Line{Look: look, Dashes: look, Thin: true, Points: asked})
	}
	if failed[len(failed)-1].Y > 0 {
		for len(failed) > 1 && failed[1].Y == 0 { // from the first failure on
			failed = failed[1:]
		}
		p.Lines = append(p.Lines, chart.Line{Look: chart.Bad, Dashes: look, Points: failed})
		p.crosses(r)
	}
	p.Lines = append(p.Lines, chart.Line{Look: look, Dashes: look, Points: p.stairs(r, func(x Point) int { return x.Done })})
	shape := [...]chart.Shape{chart.Dot, chart.Box, chart.Diamond}[look]
	for _, share := range []int{50, 90, 99} {
		if at, done := r.reached(share); done > 0 {
			p.Marks = append(p.Marks, chart.Mark{
				Point: p.point(at, done), Look: look, Shape: shape, Above: look > 0,
				Text: fmt.Sprintf("%d %% %s", share, rounded(at)),
			})
		}
	}
}

// reached is when so many of 100 downloads were done; done is 0 if they never were.
func (r *Result) reached(share int) (at time.Duration, done int) {
	need := (r.Begun*share + 99) / 100
	for _, x := range r.Progress {
		if x.Done >= need && need > 0 {
			return x.At, x.Done
		}
	}
	return 0, 0
}

func (p *pictured) point(at time.Duration, n int) chart.Point {
	return chart.Point{X: float64(at) / p.unit, Y: float64(n)}
}

// stairs is a count over time: a download is done or is not.
func (p *pictured) stairs(r *Result, of func(Point) int) []chart.Point {
	out := []chart.Point{{}}
	last := 0
	for _, x := range r.Progress {
		if n := of(x); n != last {
			out = append(out, p.point(x.At, last), p.point(x.At, n))
			last = n
		}
	}
	return append(out, p.point(r.Elapsed, last))
}

// crosses mark where downloads failed, as many as have room.
func (p *pictured) crosses(r *Result) {
	last, lastAt := 0, -r.Elapsed
	for _, x := range r.Progress {
		if x.Failed > last && x.At-lastAt >= r.Elapsed/40 {
			p.Marks = append(p.Marks, chart.Mark{Point: p.point(x.At, x.Failed), Look: chart.Bad, Shape: chart.Cross})
			lastAt = x.At
		}
		last = x.Failed
	}
}

func caption(r *Result) string {
	s := fmt.Sprintf("%d clients, %d done", r.Clients, r.Done)
	s += fmt.Sprintf(" in %.2f s, %.1f MB/s", r.Elapsed.Seconds(), r.BytesPerSecond/1e6)
	if r.Done > 0 {
		s += fmt.Sprintf("; a download: p50 %s, p90 %s, p99 %s", rounded(r.Time.P50), rounded(r.Time.P90), rounded(r.Time.P99))
	}
	return s
}

// causes says why downloads failed.
func causes(r *Result) string {
	var out []string
	for _, f := range r.Failures {
		out = append(out, fmt.Sprintf("%d %s", f.Count, f.Code))
	}
	if len(out) == 0 {
		return fmt.Sprintf("%d failed", r.Failed)
	}
	return fmt.Sprintf("%d failed: %s", r.Failed, strings.Join(out, ", "))
}

// rounded writes a time with three digits.
func rounded(d time.Duration) string {
	switch {
	case d >= 100*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return strconv.FormatFloat(d.Seconds(), 'g', 3, 64) + " s"
	}
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'g', 3, 64) + " ms"
}
