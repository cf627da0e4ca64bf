package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/store"
	"surefoot/internal/web"
)

const watchHistoryLong = `Show how each test went over a time: the response time as a line, and availability, minimum, median
and 95th percentile, of the whole and of each step. A run that failed has no response time.

  surefoot watch history                          the last day of every test
  surefoot watch history pvs1 --since 7d          one server, or one test
  surefoot watch history pvs1 --since 08:00 --until 09:00 --step 1m
  surefoot watch history --since 30d --csv        for a spreadsheet

A step is never shorter than what is kept: single measurements for two days, five minutes for two
weeks, an hour for the rest (keep_measurements, keep_five_minutes and keep of history in the site file).`

type watchHistoryOptions struct {
	from         pastSource
	since, until string
	step         string
	csv, json    bool
}

func newWatchHistoryCommand(env *Env) *cobra.Command {
	var o watchHistoryOptions
	cmd := &cobra.Command{
		Use:   "history [TEST|SERVER]",
		Short: "how the servers delivered over time",
		Long:  watchHistoryLong,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			q, err := o.query(name, time.Now())
			if err != nil {
				return usageError(cmd, err)
			}
			h, err := askHistory(cmd.Context(), o.from, q)
			if err != nil {
				return err
			}
			return o.print(env.Out, name, h)
		},
	}
	o.from.addFlags(cmd, env)
	f := cmd.Flags()
	f.StringVar(&o.since, "since", "24h", "begin: a span before now (90m, 24h, 7d) or a time")
	f.StringVar(&o.until, "until", "", "end: a span before now or a time (default now)")
	f.StringVar(&o.step, "step", "", "length of a step: 1m, 5m, 1h, 1d (default: some 50 to 100 steps)")
	f.BoolVar(&o.csv, "csv", false, "print CSV, a line for each step")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (o *watchHistoryOptions) query(name string, now time.Time) (q store.Query, err error) {
	q = store.Query{Name: name, Until: now}
	if q.Since, err = parseWhen(o.since, now); err != nil {
		return q, fmt.Errorf("--since: %w", err)
	}
	if o.until != "" {
		if q.Until, err = parseWhen(o.until, now); err != nil {
			return q, fmt.Errorf("--until: %w", err)
		}
	}
	q.Step = store.StepFor(q.Until.Sub(q.Since))
	if o.step != "" {
		if q.Step, err = parseSpan(o.step); err != nil {
			return q, fmt.Errorf("--step %q is not a length of time, as in 5m or 1h", o.step)
		}
	}
	return q, q.Check()
}

func (o *watchHistoryOptions) print(w io.Writer, name string, h web.History) error {
	switch {
	case o.json:
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(h)
	case o.csv:
		return printCSV(w, h)
	case len(h.Series) == 0:
		what := "any test"
		if name != "" {
			what = fmt.Sprintf("%q", name)
		}
		fmt.Fprintf(w, "nothing was measured of %s from %s to %s\n", what, clock(h.Since), clock(h.Until))
		return nil
	}
	for i, s := range h.Series {
		if i > 0 {
			fmt.Fprintln(w)
		}
		printSeries(w, h, s, len(h.Series) == 1)
	}
	return nil
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// printSeries prints a test: one line of figures, the curve, and, if it is the only one, each step.
func printSeries(w io.Writer, h web.History, s web.HistorySeries, steps bool) {
	p := s.Whole
	step := time.Duration(h.Step * float64(time.Second))
	fmt.Fprintf(w, "%s  %s %s  %s to %s\n", fit(s.Test, 30), fit(s.Server, 24), fit(s.File, 24), clock(h.Since), clock(h.Until))
	fmt.Fprintf(w, "  %s available (%d of %d runs)   min %s  median %s  p95 %s  max %s\n", percent(p.Availability), p.Good, p.Runs,
		seconds(p.Min), seconds(p.Median), seconds(p.P95), seconds(p.Max))
	if p.Cause != "" {
		fmt.Fprintf(w, "  last failure: %s\n", p.Cause)
	}
	line, marks, each := curve(h, s, step)
	fmt.Fprintf(w, " |%s|\n", line)
	if strings.TrimSpace(marks) != "" {
		fmt.Fprintf(w, " |%s|\n", marks)
	}
	what := "median"
	if each > step {
		what = "highest median"
	}
	fmt.Fprintf(w, "  each sign: the %s of %s, %s at the top; x: failures; blank: no run\n", what, spanWord(each), seconds(peak(s)))
	if !steps {
		return
	}
	fmt.Fprintf(w, "\n  %-16s  %5s  %6s  %8s  %8s  %8s  %6s  %s\n", "TIME", "RUNS", "AVAIL", "MIN", "MEDIAN", "P95", "RESENT", "LAST FAILURE")
	for _, p := range s.Points {
		at := clock(p.At)
		if step < time.Minute {
			at = p.At.Local().Format("01-02 15:04:05")
		}
		row := fmt.Sprintf("  %-16s  %5d  %6s  %8s  %8s  %8s  %6d  %s", at, p.Runs, percent(p.Availability), seconds(p.Min), seconds(p.Median), seconds(p.P95), p.Retransmits, fit(p.Cause, 24))
		fmt.Fprintln(w, strings.TrimRight(row, " "))
	}
}

// width is how many characters the curve has: a day by quarters of an hour, and the one begun.
const width = 97

// levels are the characters of the curve, from low to high. No meaning is in them alone: the
// figures stand beside and below.
const levels = "▁▂▃▄▅▆▇█"

// curve draws the medians, and below it where runs failed.
func curve(h web.History, s web.HistorySeries, step time.Duration) (line, marks string, each time.Duration) {
	n := int(math.Ceil(float64(h.Until.Sub(h.Since)) / float64(step)))
	per := max(1, (n+width-1)/width)
	cols := (n + per - 1) / per
	top := peak(s)
	high, bad := make([]float64, cols), make([]bool, cols)
	for _, p := range s.Points {
		i := int(p.At.Sub(h.Since)/step) / per
		if i < 0 || i >= cols {
			continue
		}
		bad[i] = bad[i] || p.Good < p.Runs
		if p.Median != nil {
			high[i] = max(high[i], *p.Median)
		}
	}
	var b, m strings.Builder
	signs := []rune(levels)
	for i := range cols {
		c, x := ' ', ' '
		if high[i] > 0 {
			c = signs[min(len(signs)-1, int(high[i]/(*top)*float64(len(signs)-1)+.5))]
		}
		if bad[i] {
			x = 'x'
		}
		b.WriteRune(c)
		m.WriteRune(x)
	}
	return b.String(), m.String(), step * time.Duration(per)
}

// peak is the highest median of a step.
func peak(s web.HistorySeries) *float64 {
	var top *float64
	for i := range s.Points {
		if m := s.Points[i].Median; m != nil && (top == nil || *m > *top) {
			top = m
		}
	}
	return top
}

func percent(p *float64) string {
	switch {
	case p == nil:
		return "-"
	case *p == 100 || *p == 0:
		return fmt.Sprintf("%.0f%%", *p)
	case *p > 99.9: // rounding must not make it whole
		return fmt.Sprintf("%.3f%%", math.Floor(*p*1000)/1000)
	}
	return fmt.Sprintf("%.1f%%", *p)
}

func seconds(s *float64) string {
	switch {
	case s == nil:
		return "-"
	case *s < .01:
		return fmt.Sprintf("%.2f ms", *s*1000)
	case *s < 1:
		return fmt.Sprintf("%.0f ms", *s*1000)
	}
	return fmt.Sprintf("%.2f s", *s)
}

// spanWord is a round span in words.
func spanWord(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%g s", d.Seconds())
}

func printCSV(w io.Writer, h web.History) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"time", "test", "server", "file", "runs", "good", "availability_percent", "min_seconds", "median_seconds", "p95_seconds", "max_seconds", "bytes", "retransmits", "last_cause"})
	number := func(f *float64) string {
		if f == nil {
			return ""
		}
		return strconv.FormatFloat(*f, 'f', -1, 64)
	}
	for _, s := range h.Series {
		for _, p := range s.Points {
			_ = c.Write([]string{
				p.At.Format(time.RFC3339), s.Test, s.Server, s.File, strconv.Itoa(p.Runs), strconv.Itoa(p.Good), number(p.Availability),
				number(p.Min), number(p.Median), number(p.P95), number(p.Max), strconv.FormatInt(p.Bytes, 10), strconv.FormatInt(p.Retransmits, 10), p.Cause,
			})
		}
	}
	c.Flush()
	return c.Error()
}
