package web

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"surefoot/internal/chart"
	"surefoot/internal/health"
	"surefoot/internal/journal"
	"surefoot/internal/probe"
	"surefoot/internal/store"
	"surefoot/internal/watch"
)

// failure is the last one of a test, in words.
type failure struct {
	Now  bool   // nothing good came since
	When string // ago, and the time
	Step string // what the probe was about
	Code string
	Text string
	Look []string // what to do
	More string   // the command that says more
}

// failure finds the last one: the last result, the diagnosis in memory, the one in the history and,
// where none was kept, the name of the cause and what was said when the server went down.
func (p *past) failure(ctx context.Context, t *watch.TestReport, buckets []store.Bucket, now time.Time) *failure {
	out := failure{More: "surefoot watch show " + t.Name}
	if t.Server != "" {
		out.More = "surefoot server show " + t.Server + " --trace"
	}
	if r := t.Last; r != nil && !r.Good() {
		out.Now = true
		out.say(now, r.Time, probe.Fault{Step: r.Step, Code: r.Code, Text: r.Cause, Hint: r.Hints})
		return &out
	}
	last, d := lastFailed(buckets), t.Bad
	if last != nil && (d == nil || d.Time.Before(last.Start)) {
		if d = p.diagnosis(ctx, t.Name, last); d != nil {
			out.More = "surefoot watch history " + t.Name
		}
	}
	switch {
	case d != nil && d.Probe.Fault != nil:
		out.say(now, d.Time, *d.Probe.Fault)
	case last == nil:
		return nil
	default:
		x := probe.Fault{Code: probe.Code(last.Cause)}
		if c, ok := p.fell[t.Name]; ok && !c.At.Before(now.Add(-p.span.length)) {
			x.Text = c.Text + " (when it went down, at " + whenWords(now, c.At) + ")"
		}
		out.say(now, last.Start, x)
		out.When, out.More = "about "+out.When, "surefoot watch history "+t.Name
	}
	return &out
}

func (f *failure) say(now, at time.Time, x probe.Fault) {
	f.When = whenWords(now, at)
	f.Step, f.Code, f.Look = stepWords(x.Step), string(x.Code), x.Hint
	f.Text = strings.TrimSpace(strings.TrimPrefix(x.Text, f.Code+":"))
}

// whenWords is a time as people read it, with the date where it is not today.
func whenWords(now, at time.Time) string {
	at = at.In(now.Location())
	format := "15:04:05"
	if at.YearDay() != now.YearDay() || at.Year() != now.Year() {
		format = "Mon 2 Jan 15:04:05"
	}
	return at.Format(format) + " (" + sinceWords(now.Sub(at)) + " ago)"
}

// mostAsked is how many diagnoses are looked at for one of a failure: of good runs, too, some are kept.
const mostAsked = 32

// diagnosis asks the history for the last one of a failure within a step.
func (p *past) diagnosis(ctx context.Context, test string, b *store.Bucket) *watch.Diagnosed {
	if p.store == nil {
		return nil
	}
	until := b.Start.Add(b.Step)
	for range mostAsked {
		body, err := p.store.Diagnosis(ctx, store.Query{Name: test, Since: b.Start, Until: until})
		var d watch.Diagnosed
		if err != nil || body == nil || json.Unmarshal(body, &d) != nil {
			return nil
		}
		if d.Probe.Fault != nil {
			return &d
		}
		until = d.Probe.Start.Add(-50 * time.Millisecond) // the record is of the moment before
	}
	return nil
}

func lastFailed(list []store.Bucket) *store.Bucket {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Good < list[i].Runs && list[i].Cause != "" {
			return &list[i]
		}
	}
	return nil
}

// stepWords says what a probe was about at a step.
func stepWords(s probe.Step) string {
	does := map[probe.Step]string{
		probe.StepResolve: "looking the name up", probe.StepRequest: "asking for the file", probe.StepOptions: "agreeing on options",
		probe.StepTransfer: "taking the file", probe.StepContent: "comparing the content",
	}
	if does[s] == "" {
		return string(s)
	}
	return does[s] + " (step " + string(s) + ")"
}

// stateWords says what a server counts as; the sign tells it apart without a colour.
func stateWords(r watch.ServerReport, now time.Time) string {
	sign := map[health.Status]string{health.Up: "✓ up", health.Down: "✗ down", watch.Partly: "✗ partly down", watch.Drained: "‖ drained", health.Unknown: "? no result yet"}[r.State]
	if sign == "" {
		sign = string(r.State)
	}
	if !r.Since.IsZero() && r.State != health.Unknown {
		sign += " for " + sinceWords(now.Sub(r.Since))
	}
	if d := r.Drain; d != nil {
		if !d.Until.IsZero() {
			sign += ", until " + d.Until.In(now.Location()).Format("2 Jan 15:04")
		}
		if d.Reason != "" {
			sign += ": " + d.Reason
		}
		if r.Health == health.Down || r.Health == watch.Partly {
			sign += "; and it is " + string(r.Health)
		}
	}
	return sign
}

// sinceWords is a length of time, about.
func sinceWords(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// lastWords is the newest value.
func lastWords(t *watch.TestReport, now time.Time) string {
	r := t.Last
	if r == nil {
		return "No download yet."
	}
	when := "Last download " + sinceWords(now.Sub(r.Time)) + " ago: "
	if !r.Good() {
		return when + "failed, so it has no response time."
	}
	text := fmt.Sprintf("%sgood, %s in %s, the first block after %s", when, journal.Size(r.Bytes), chart.Seconds(r.Response), chart.Seconds(r.FirstBlock))
	if r.Retransmits > 0 {
		text += fmt.Sprintf(", %d packets sent again", r.Retransmits)
	}
	return text + "."
}

// wholeWords is what all of the span was like.
func wholeWords(b *store.Bucket, span courseSpan) string {
	when := "Last " + span.Words + ": "
	if b.Runs == 0 {
		return when + "no data."
	}
	text := fmt.Sprintf("%s%s available, %d of %d downloads good", when, exactPercent(b), b.Good, b.Runs)
	if b.Good == 0 {
		return text + "."
	}
	p95, _ := b.Quantile(.95)
	return fmt.Sprintf("%s; mean %s, 95 %% within %s, slowest %s.", text, chart.Seconds(b.Sum/time.Duration(b.Good)), chart.Seconds(p95), chart.Seconds(b.Max))
}

// exactPercent never rounds to all or nothing what was not.
func exactPercent(b *store.Bucket) string {
	p, _ := b.Availability()
	switch {
	case b.Good == b.Runs:
		return "100 %"
	case p > 99.9:
		return fmt.Sprintf("%.3f %%", math.Floor(p*1000)/1000)
	case p < .1 && b.Good > 0:
		return "below 0.1 %"
	}
	return fmt.Sprintf("%.1f %%", p)
}
