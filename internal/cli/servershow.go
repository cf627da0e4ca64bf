package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/probe"
	"surefoot/internal/watch"
	"surefoot/internal/web"
)

type serverShowOptions struct {
	serverOptions
	trace bool
}

func newServerShowCommand(env *Env) *cobra.Command {
	var o serverShowOptions
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "each test of a server: results, and the last diagnosis in words",
		Long: `Show a server: each file that it may hand out, how the last downloads went, and the last
diagnosis of a good and of a bad one, in words; with --trace packet by packet.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args[0]) },
	}
	o.addFlags(cmd, env)
	cmd.Flags().BoolVar(&o.trace, "trace", false, "show the packets of the last diagnoses")
	return cmd
}

func (o *serverShowOptions) run(ctx context.Context, env *Env, name string) error {
	rep, err := web.Dial(o.socket).Watch(ctx, watch.Query{Server: name, Samples: sparkWidth, Diagnoses: true})
	if err != nil {
		return daemonError(err)
	}
	s, err := serverOf(rep, name)
	if err != nil {
		return err
	}
	rep.Servers = []watch.ServerReport{s}
	rep.Findings = nil
	if o.json {
		if err := printJSON(env.Out, rep); err != nil {
			return err
		}
		return verdict(rep)
	}
	printServers(env.Out, rep.Servers, rep.Time)
	if s.Cause != "" {
		fmt.Fprint(env.Out, wrap(s.Cause, "  "))
	}
	if len(rep.Tests) == 0 {
		fmt.Fprint(env.Out, "\n"+wrap("not tested: no rule takes a file from it, or the monitor is off (watch in the site file)", ""))
	}
	for _, t := range rep.Tests {
		fmt.Fprintln(env.Out)
		printTest(env.Out, t, rep.Time, unicodeTerminal(env), o.trace)
	}
	return verdict(rep)
}

// printTest prints everything about one test.
func printTest(w io.Writer, t watch.TestReport, now time.Time, pretty, trace bool) {
	fmt.Fprintf(w, "%s: %s\n", t.Name, t.State)
	fmt.Fprint(w, wrap(fmt.Sprintf("%s as %s every %s, %s", t.Target, t.As, t.Every, plural(int(t.Runs), "download")), "  "))
	if t.Server == "" {
		fmt.Fprintln(w, "  steers no answers: it is only watched")
	}
	if !t.Since.IsZero() {
		fmt.Fprint(w, wrap(fmt.Sprintf("%s for %s: %s", t.State, since(t.Since, now), t.Text), "  "))
	}
	if now.Before(t.HeldUntil) {
		fmt.Fprintf(w, "  held down until %s, because it flaps\n", t.HeldUntil.Local().Format(time.TimeOnly))
	}
	if t.Weight > 0 && t.Weight < 100 {
		fmt.Fprintf(w, "  starting slowly: weight %d of 100\n", t.Weight)
	}
	if len(t.Samples) > 0 {
		fmt.Fprintf(w, "  %s  %s available\n", spark(t.Samples, pretty), availability(t.Availability))
	}
	if r := t.Last; r != nil {
		fmt.Fprint(w, wrap(fmt.Sprintf("last, %s ago: %s", since(r.Time, now), outcome(r)), "  "))
	}
	printDiagnosis(w, "last good run that was kept", t.Good, now, trace)
	printDiagnosis(w, "last bad run that was kept", t.Bad, now, trace)
}

// outcome says a result in words.
func outcome(r *watch.Result) string {
	if !r.Good() {
		if strings.HasPrefix(r.Cause, string(r.Code)+":") {
			return r.Cause
		}
		return string(r.Code) + ": " + r.Cause
	}
	text := fmt.Sprintf("good, %d bytes in %s, the first after %s", r.Bytes, response(r.Response), response(r.FirstBlock))
	if r.Retransmits > 0 {
		text += ", " + plural(r.Retransmits, "packet") + " sent again"
	}
	return text
}

func printDiagnosis(w io.Writer, title string, d *watch.Diagnosed, now time.Time, trace bool) {
	if d == nil {
		return
	}
	fmt.Fprintf(w, "  %s, %s ago:\n", title, since(d.Time, now))
	for _, line := range d.Words {
		fmt.Fprint(w, wrap(line, "    "))
	}
	if trace {
		printTrace(w, d.Probe.Trace, "      ")
	}
}

func printTrace(w io.Writer, trace []probe.Packet, indent string) {
	for _, p := range trace {
		fmt.Fprintf(w, "%s%s\n", indent, p)
	}
}
