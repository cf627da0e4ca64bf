package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// unit is what response times are written in on an axis.
type unit struct {
	name string
	one  time.Duration
}

func (u unit) of(d time.Duration) float64       { return float64(d) / float64(u.one) }
func (u unit) duration(v float64) time.Duration { return time.Duration(v * float64(u.one)) }

// most is the slowest of all.
func (c *Course) most() time.Duration {
	var most time.Duration
	for _, r := range c.Runs {
		if r.Good > 0 {
			most = max(most, r.Most)
		}
	}
	return most
}

// measure chooses the axis of response times, with three to five marks. A single packet that was lost
// makes one run slower a hundred times: what is far above nearly all means is cut off, so that the
// others are still seen.
func (c *Course) measure() (u unit, top, step float64) {
	var means []time.Duration
	for _, r := range c.Runs {
		if r.Good > 0 {
			means = append(means, r.Mean)
		}
	}
	n := len(means)
	if n == 0 {
		return unit{"ms", time.Millisecond}, 1, 2 // nothing to measure: no marks
	}
	slices.Sort(means)
	most := min(c.most(), 5*means[n-1-n/50]/2)
	if u = (unit{"ms", time.Millisecond}); most >= 2*time.Second {
		u = unit{"s", time.Second}
	}
	v := max(u.of(most), .1)
	step = math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{.2, .5, 1} {
		if v/(step*f) <= 5 {
			step *= f
			break
		}
	}
	if v/step > 5 {
		step *= 2
	}
	return u, math.Ceil(v/step-1e-9) * step, step
}

// times draws the marks of the time, at round times of the reader's clock.
func (d *courseDrawing) times() {
	for _, t := range timeMarks(d.Since, d.Until) {
		x := d.x(t)
		d.path("grid", "", fmt.Sprintf("M%s %dV%dM%s %sV%s", px(x), courseStrip, courseStrip+stripH, px(x), px(d.respTop), px(d.end+4)))
		word := t.Format("15:04")
		if t.Hour() == 0 && t.Minute() == 0 {
			word = t.Format("Mon 2 Jan")
		}
		if half := 3.3 * float64(len(word)); x-half > 12 && x+half < courseW {
			d.text(x, d.end+16, middle, "tick", word)
		}
	}
}

// timeMarks are up to nine times between two, some minutes, hours or days apart.
func timeMarks(since, until time.Time) []time.Time {
	const day = 24 * 60
	minutes := 0
	for _, minutes = range []int{1, 5, 10, 30, 60, 3 * 60, 6 * 60, day, 2 * day, 4 * day, 7 * day} {
		if until.Sub(since) <= 9*time.Duration(minutes)*time.Minute {
			break
		}
	}
	var out []time.Time
	y, m, first := since.Date()
	for i := 0; ; i += minutes {
		t := time.Date(y, m, first, 0, i, 0, 0, since.Location()) // by the calendar: a day may have 23 hours
		if !t.Before(until) || len(out) > 100 {
			return out
		}
		if t.After(since) {
			out = append(out, t)
		}
	}
}

// join puts runs together with later ones.
func (r Runs) join(o Runs) Runs {
	if o.Good > 0 {
		if r.Good == 0 || o.Least < r.Least {
			r.Least = o.Least
		}
		r.Most = max(r.Most, o.Most)
		r.Mean = time.Duration((float64(r.Mean)*float64(r.Good) + float64(o.Mean)*float64(o.Good)) / float64(r.Good+o.Good))
	}
	r.To, r.All, r.Good = o.To, r.All+o.All, r.Good+o.Good
	if o.Note != "" {
		r.Note = o.Note
	}
	return r
}

// words says what the runs were like.
func (r Runs) words(zone *time.Location) string {
	format := "15:04"
	if r.To.Sub(r.From) < time.Minute || r.From.Second() > 0 {
		format = "15:04:05"
	}
	from, to := r.From.In(zone), r.To.In(zone)
	var b strings.Builder
	fmt.Fprintf(&b, "%s to ", from.Format("Mon 2 Jan "+format))
	if from.YearDay() != to.YearDay() {
		b.WriteString(to.Format("Mon 2 Jan "))
	}
	fmt.Fprintf(&b, "%s: %d of %d good", to.Format(format), r.Good, r.All)
	if r.Good > 0 {
		fmt.Fprintf(&b, ", mean %s (%s to %s)", Seconds(r.Mean), Seconds(r.Least), Seconds(r.Most))
	}
	if r.Note != "" {
		b.WriteString("; failed: " + r.Note)
	}
	return b.String()
}

// Seconds writes a response time.
func Seconds(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
