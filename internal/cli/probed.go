package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"surefoot/internal/probe"
)

func (o *probeOptions) print(w io.Writer, n int, res probe.Result) {
	if !o.trace && !tracesHelp(res) {
		res.Trace = nil
	}
	switch {
	case o.json:
		_ = json.NewEncoder(w).Encode(res)
	case o.count > 1:
		printProbeLine(w, n, res)
		printProbeTrace(w, res)
	default:
		printProbe(w, res, o)
		printProbeTrace(w, res)
	}
}

// tracesHelp reports whether the packets tell anything of what went wrong. Where the whole file
// came, and is another or was slow, they do not.
func tracesHelp(res probe.Result) bool {
	return res.Fault != nil && !res.Available && res.Fault.Code != probe.WrongHash && res.Fault.Code != probe.TextMissing
}

func printProbe(w io.Writer, res probe.Result, o *probeOptions) {
	row := func(name, format string, args ...any) {
		wrapped(w, fmt.Sprintf("%-17s ", name), 18, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(w, "%s  as %s\n\n", res.Target, res.As)
	row("availability", "%d %%", res.Availability)
	if f := res.Fault; f != nil {
		row("failed at", "%s (%s)", f.Step, f.Code)
		row("because", "%s", f.Text)
		for _, h := range f.Hint {
			row("hint", "%s", h)
		}
	}
	if res.Available {
		row("response time", "%s", millis(res.Response))
		row("first block", "%s", millis(res.FirstBlock))
	}
	if res.Size > 0 {
		row("size", "%d bytes%s", res.Size, inBlocks(res.Blocks))
	}
	if res.SHA256 != "" {
		row("sha256", "%s", res.SHA256)
	}
	if what := expectedContent(o); res.Available && what != "" {
		row("content", "%s", what)
	}
	if strings.HasPrefix(res.Target, "tftp:") {
		row("retransmissions", "%d, duplicates %d", res.Retransmits, res.Duplicates)
		if res.Asked != "" {
			row("options granted", "%s (asked: %s)", orNone(res.Granted), orNone(res.Asked))
		}
	}
	if res.Server != "" {
		row("server", "%s%s", res.Server, dataFrom(res))
	}
	if res.Resolve > 0 {
		row("name look-up", "%s", millis(res.Resolve))
	}
	for _, n := range res.Notes {
		row("note", "%s", n)
	}
}

func expectedContent(o *probeOptions) string {
	var got []string
	if o.sha256 != "" {
		got = append(got, "the hash is the expected one")
	}
	if o.contains != "" {
		got = append(got, fmt.Sprintf("holds %+q", o.contains))
	}
	return strings.Join(got, ", ")
}

func printProbeLine(w io.Writer, n int, res probe.Result) {
	if res.Fault != nil {
		fmt.Fprintf(w, "%4d  failed at %s: %s\n", n, res.Fault.Step, res.Fault.Text)
		return
	}
	fmt.Fprintf(w, "%4d  %10s  first block %10s  %d bytes  %s\n",
		n, millis(res.Response), millis(res.FirstBlock), res.Size, plural(res.Retransmits, "retransmission"))
}

func printProbeTrace(w io.Writer, res probe.Result) {
	if len(res.Trace) == 0 {
		return
	}
	fmt.Fprintln(w)
	for _, p := range res.Trace {
		fmt.Fprintln(w, p)
	}
	fmt.Fprintln(w)
}

func (o *probeOptions) printSummary(w io.Writer, s probe.Summary) {
	if o.json {
		_ = json.NewEncoder(w).Encode(map[string]probe.Summary{"summary": s})
		return
	}
	fmt.Fprintf(w, "\n%s: available in %d of %d downloads (%.1f %%)\n", s.Target, s.Succeeded, s.Count, s.Availability)
	if s.Succeeded > 0 {
		fmt.Fprintf(w, "response time: min %s, median %s, max %s\n", millis(s.Min), millis(s.Median), millis(s.Max))
	}
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func inBlocks(n int64) string {
	if n == 0 {
		return ""
	}
	return " in " + plural(int(n), "block")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func dataFrom(res probe.Result) string {
	if res.DataFrom == "" || res.DataFrom == res.Server {
		return ""
	}
	return ", data from " + res.DataFrom
}

// probeBar is the progress line of a large download; there is none unless stderr is a terminal.
type probeBar struct {
	w     io.Writer // nil: no terminal
	shown bool
}

const probeBarFrom = 4 << 20 // bytes; smaller files are there before anyone reads the line

func newProbeBar(w io.Writer) *probeBar {
	if f, ok := w.(*os.File); ok {
		if fi, err := f.Stat(); err == nil && fi.Mode()&os.ModeCharDevice != 0 {
			return &probeBar{w: w}
		}
	}
	return &probeBar{}
}

func (b *probeBar) show(received, size int64) {
	if b.w == nil || max(received, size) < probeBarFrom {
		return
	}
	b.shown = true
	if size > 0 {
		fmt.Fprintf(b.w, "\r%3d %% of %d bytes ", 100*received/size, size)
		return
	}
	fmt.Fprintf(b.w, "\r%d bytes ", received)
}

func (b *probeBar) clear() {
	if b.shown {
		fmt.Fprint(b.w, "\r"+strings.Repeat(" ", 40)+"\r")
		b.shown = false
	}
}
