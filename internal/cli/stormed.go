package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"surefoot/internal/storm"
)

func (o *stormOptions) print(w io.Writer, res, before *storm.Result) {
	if o.json {
		out := struct {
			*storm.Result
			Compare []storm.Row `json:"compare,omitempty"`
		}{Result: res}
		if before != nil {
			out.Compare = storm.Compare(res, before)
		}
		_ = json.NewEncoder(w).Encode(out)
		return
	}
	printStorm(w, res)
	if before != nil {
		printComparison(w, res, before)
	}
}

func printStorm(w io.Writer, res *storm.Result) {
	row := func(name, format string, args ...any) {
		wrapped(w, fmt.Sprintf("%-17s ", name), 18, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(w, "%s  %s\n\n", res.Target, stormed(res))
	row("downloads", "%d done, %d failed%s in %.2f s", res.Done, res.Failed, unfinished(res), res.Elapsed.Seconds())
	row("throughput", "%.1f downloads/s, %.1f MB/s", res.DownloadsPerSecond, res.BytesPerSecond/1e6)
	if res.Done > 0 {
		row("download time", "%s", percentilesText(res.Time))
		row("first block", "%s", percentilesText(res.FirstBlock))
	}
	row("request timeouts", "%d; %d of %d first requests were not answered in time", res.RequestTimeouts, res.RequestsLost, res.Begun)
	row("retransmissions", "%d, duplicates %d", res.Retransmits, res.Duplicates)
	if res.Loss > 0 {
		row("lost on purpose", "%d packets sent, %d received (seed %d)", res.LostSent, res.LostReceived, res.Seed)
	}
	for i, g := range res.Granted {
		name := "options granted"
		if i > 0 {
			name = ""
		}
		row(name, "%s", g)
	}
	row("file", "%d bytes", res.Size)
	row("sha256", "%s", res.SHA256)
	row("generator", "%s", generatorText(res))
	for _, f := range res.Failures {
		row("failed", "%d x %s (%s): %s", f.Count, f.Code, f.Step, f.Example)
	}
	fmt.Fprintln(w)
	for i, sentence := range res.Meaning {
		name := "that means"
		if i > 0 {
			name = ""
		}
		row(name, "%s", sentence)
	}
}

// stormed says in words what was done.
func stormed(res *storm.Result) string {
	var as []string
	for _, s := range res.As {
		as = append(as, string(s))
	}
	text := fmt.Sprintf("%d clients as %s, arrival: %s", res.Clients, strings.Join(as, ", "), res.Arrive)
	if res.Loss > 0 {
		text += fmt.Sprintf(", loss %g %% each way", 100*res.Loss)
	}
	return text
}

func unfinished(res *storm.Result) string {
	switch {
	case !res.Interrupted:
		return ""
	case res.Unfinished == 0:
		return ", interrupted"
	}
	return fmt.Sprintf(", %d under way when interrupted", res.Unfinished)
}

func percentilesText(p storm.Percentiles) string {
	return fmt.Sprintf("p50 %s  p90 %s  p99 %s  max %s", millis(p.P50), millis(p.P90), millis(p.P99), millis(p.Max))
}

// generatorText tells whether the figures are the server's or our own limit.
func generatorText(res *storm.Result) string {
	return fmt.Sprintf("%.0f %% busy, %.2f s of processor time", 100*res.Busy, res.CPU.Seconds())
}

func printComparison(w io.Writer, res, before *storm.Result) {
	if now, then := stormed(res), stormed(before); now != then || res.Size != before.Size {
		wrapped(w, "\nbefore            ", 18, fmt.Sprintf("%d bytes, %s: other questions have other answers", before.Size, then))
	}
	fmt.Fprintf(w, "\n%-24s %14s %14s %8s\n", "", "this run", "before", "ratio")
	for _, r := range storm.Compare(res, before) {
		ratio := "-"
		if r.Ratio > 0 {
			ratio = fmt.Sprintf("%.2f", r.Ratio)
		}
		fmt.Fprintf(w, "%-24s %14s %14s %8s\n", r.Name, number(r.Now), number(r.Before), ratio)
	}
}

// number writes a figure with about four digits.
func number(v float64) string {
	switch {
	case v == float64(int64(v)):
		return fmt.Sprintf("%d", int64(v))
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// stormBar is the progress line of a storm: one that is written over on a terminal, elsewhere nothing
// or, where it was asked for, a line every few seconds.
type stormBar struct {
	w        io.Writer
	terminal bool
	asked    bool
	last     storm.Progress
	shown    bool
}

const stormLineEvery = 5 * time.Second

func newStormBar(w io.Writer, asked bool) *stormBar {
	b := &stormBar{w: w, asked: asked}
	if f, ok := w.(*os.File); ok {
		fi, err := f.Stat()
		b.terminal = err == nil && fi.Mode()&os.ModeCharDevice != 0
	}
	return b
}

func (b *stormBar) show(p storm.Progress) {
	if !b.terminal && (!b.asked || p.Elapsed-b.last.Elapsed < stormLineEvery) {
		return
	}
	total := ""
	if p.Total > 0 {
		total = fmt.Sprintf(" of %d", p.Total)
	}
	rate := 0.0
	if d := (p.Elapsed - b.last.Elapsed).Seconds(); d > 0 {
		rate = float64(p.Bytes-b.last.Bytes) / d / 1e6
	}
	left := ""
	if p.Left >= 0 {
		left = fmt.Sprintf(", %s left", about(p.Left))
	}
	b.last = p
	line := fmt.Sprintf("%6.1f s  %d%s done, %d running, %d failed, %.1f MB/s%s", p.Elapsed.Seconds(), p.Done, total, p.Running, p.Failed, max(rate, 0), left)
	if !b.terminal {
		fmt.Fprintln(b.w, "surefoot:"+line)
		return
	}
	b.shown = true
	fmt.Fprintf(b.w, "\r%-79s", line)
}

// about rounds a time to what one wants to know of the future.
func about(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

func (b *stormBar) clear() {
	if b.shown {
		fmt.Fprint(b.w, "\r"+strings.Repeat(" ", 79)+"\r")
		b.shown = false
	}
}
