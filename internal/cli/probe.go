package cli

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/probe"
)

const probeLong = `Download a boot file as a boot client would, and say how it went: availability, response time,
first block, retransmissions, size and hash. When it fails: the step that failed, the evidence and
every packet.

  surefoot probe tftp://10.0.0.5/ARDBP32.BIN --contains "Provisioning Services bootstrap"
  surefoot probe tftp://10.0.0.5:1069/snponly.efi --as ipxe --sha256 9f86d0...
  surefoot probe http://10.0.0.5:8067/snponly.efi --count 10 --interval 500ms
  surefoot probe tftp://10.0.0.5/x.efi --json

KINDS OF CLIENT (--as)
  edk2      UEFI firmware: asks for the size, aborts, then downloads with blksize 1468, windowsize 4
  ipxe      blksize 1432; takes an answer from any address
  pxelinux  blksize 1408
  plain     no options, blocks of 512 bytes, as shim and old ROMs ask`

type probeOptions struct {
	as       string
	sha256   string
	contains string
	count    int
	interval time.Duration
	timeout  time.Duration
	json     bool
	trace    bool
}

func newProbeCommand(env *Env) *cobra.Command {
	var o probeOptions
	cmd := &cobra.Command{
		Use:   "probe tftp://HOST[:PORT]/FILE | http://HOST[:PORT]/FILE",
		Short: "download a boot file as a boot client would",
		Long:  probeLong,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, po, err := o.parse(args[0])
			if err != nil {
				return usageError(cmd, err)
			}
			return o.run(cmd.Context(), env, target, po)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.as, "as", string(probe.EDK2), "kind of client: edk2, ipxe, pxelinux or plain")
	f.StringVar(&o.sha256, "sha256", "", "hash that the file must have, in hexadecimal")
	f.StringVar(&o.contains, "contains", "", "text that the file must hold")
	f.IntVar(&o.count, "count", 1, "downloads, one after the other")
	f.DurationVar(&o.interval, "interval", time.Second, "between the starts of two downloads")
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long the server may send nothing new")
	f.BoolVar(&o.json, "json", false, "print JSON: one object a download, with --count a summary in the end")
	f.BoolVar(&o.trace, "trace", false, "show every packet, also of a good download")
	return cmd
}

func (o *probeOptions) parse(address string) (probe.Target, probe.Options, error) {
	target, err := probe.ParseTarget(address)
	if err != nil {
		return target, probe.Options{}, err
	}
	style, err := probe.ParseStyle(o.as)
	if err != nil {
		return target, probe.Options{}, fmt.Errorf("--as: %w", err)
	}
	if b, err := hex.DecodeString(o.sha256); o.sha256 != "" && (err != nil || len(b) != 32) {
		return target, probe.Options{}, fmt.Errorf("--sha256: %q is not a hash of 64 hexadecimal digits", o.sha256)
	}
	switch {
	case o.count < 1:
		return target, probe.Options{}, errors.New("--count: at least 1")
	case o.timeout <= 0:
		return target, probe.Options{}, errors.New("--timeout: more than 0")
	case o.interval < 0:
		return target, probe.Options{}, errors.New("--interval: not less than 0")
	}
	return target, probe.Options{As: style, Timeout: o.timeout, SHA256: o.sha256, Contains: o.contains}, nil
}

func (o *probeOptions) run(ctx context.Context, env *Env, target probe.Target, po probe.Options) error {
	bar := newProbeBar(env.Err)
	po.Progress = bar.show
	var results []probe.Result
	for i := range o.count {
		next := time.After(o.interval)
		res := probe.Run(ctx, target, po)
		bar.clear()
		if ctx.Err() != nil {
			break
		}
		results = append(results, res)
		o.print(env.Out, i+1, res)
		if i+1 < o.count {
			select {
			case <-next:
			case <-ctx.Done():
			}
		}
	}
	sum := probe.Summarize(results)
	if o.count > 1 && len(results) > 0 {
		o.printSummary(env.Out, sum)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if sum.Succeeded < sum.Count {
		return &Error{Code: ExitProblems}
	}
	return nil
}

func (o *probeOptions) print(w io.Writer, n int, res probe.Result) {
	if res.Available && !o.trace {
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
	} else {
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
	fmt.Fprintf(w, "%4d  %10s  first block %10s  %d bytes  %d retransmissions\n",
		n, millis(res.Response), millis(res.FirstBlock), res.Size, res.Retransmits)
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
	return fmt.Sprintf(" in %d blocks", n)
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
