package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/health"
	"surefoot/internal/watch"
	"surefoot/internal/web"
)

const serverLong = `Show what each server counts as, by this node's own downloads of the boot files, and take one
out of new answers or put it back. Every node finds out by itself and keeps its own drains.

  surefoot server                          the same as list
  surefoot server show pvs1                each file of it: results, last diagnosis in words
  surefoot server drain pvs1 --for 2h --reason "firmware update"
  surefoot server resume pvs1`

// serverOptions are those of all verbs.
type serverOptions struct {
	socket string
	json   bool
}

func (o *serverOptions) addFlags(cmd *cobra.Command, env *Env) {
	socketFlag(cmd, env, &o.socket)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
}

func newServerCommand(env *Env) *cobra.Command {
	var o serverOptions
	list := func(cmd *cobra.Command, _ []string) error { return o.list(cmd.Context(), env) }
	cmd := &cobra.Command{Use: "server", Short: "which servers deliver, and drains", Long: serverLong, Args: cobra.NoArgs, RunE: list}
	o.addFlags(cmd, env)
	ls := &cobra.Command{
		Use: "list", Short: "each server with its state, availability and response time", Args: cobra.NoArgs, RunE: list,
		Long: `List the servers: up, down, partly (for some of its files, or by one of its protocols), drained, or
unknown (not tested).
AVAIL is the share of good downloads among those remembered, an hour at the usual period. Exit
status 3 if a server is down or a file has nobody to hand it out.`,
	}
	o.addFlags(ls, env)
	cmd.AddCommand(ls, newServerShowCommand(env), newServerDrainCommand(env), newServerResumeCommand(env))
	return cmd
}

func (o *serverOptions) list(ctx context.Context, env *Env) error {
	rep, err := web.Dial(o.socket).Watch(ctx, watch.Query{Test: watch.NoTest})
	if err != nil {
		return daemonError(err)
	}
	if o.json {
		if err := printJSON(env.Out, rep); err != nil {
			return err
		}
	} else {
		printServers(env.Out, rep.Servers, rep.Time)
		if rep.Watched == 0 {
			fmt.Fprint(env.Out, "\n"+wrap(notWatched, ""))
		}
		printFindings(env.Out, rep.Findings)
	}
	return verdict(rep)
}

// verdict is the error of a report with problems in it.
func verdict(rep watch.Report) error {
	for _, s := range rep.Servers {
		if s.Health == health.Down || s.Health == watch.Partly {
			return &Error{Code: ExitProblems}
		}
	}
	if len(rep.Findings) > 0 {
		return &Error{Code: ExitProblems}
	}
	return nil
}

// notWatched is said where no download tells of a server.
const notWatched = "nothing is tested: the rules name this node alone, or watch is off in the site file"

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printServers prints the table, and below a server why it is not up.
func printServers(w io.Writer, servers []watch.ServerReport, now time.Time) {
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(t, "SERVER\tADDRESS\tSTATE\tSINCE\tAVAIL\tRESPONSE\tWHY")
	for _, s := range servers {
		name := s.Name
		if s.Self {
			name += " (this node)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", fit(name, 30), s.Address, s.State, since(s.Since, now), availability(s.Availability), response(s.Response), first(why(s), 32))
	}
	_ = t.Flush()
}

// why says what there is to say of a server that is not simply up.
func why(s watch.ServerReport) string {
	if s.Drain == nil {
		return cmp.Or(s.Cause, "-")
	}
	text := cmp.Or(s.Drain.Reason, "by an administrator")
	if !s.Drain.Until.IsZero() {
		text = "until " + s.Drain.Until.Local().Format(time.TimeOnly) + ": " + text
	}
	if s.Health != health.Up && s.Health != health.Unknown {
		text = string(s.Health) + " as well; " + text
	}
	return text
}

func printFindings(w io.Writer, findings []health.Finding) {
	for _, f := range findings {
		fmt.Fprint(w, "\n"+wrap("warning: "+f.File+": "+f.Text, ""))
	}
}

// since says how long ago something began.
func since(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(max(d, 0).Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// availability writes percents; a single failure never reads as 100.
func availability(p *float64) string {
	switch {
	case p == nil:
		return "-"
	case *p == 100 || *p == 0:
		return fmt.Sprintf("%.0f %%", *p)
	}
	return fmt.Sprintf("%.1f %%", min(max(*p, 0.1), 99.9))
}

// response writes a time in milliseconds; none is a server without one.
func response(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	v := float64(d) / float64(time.Millisecond)
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f ms", v)
	case v < 1000:
		return fmt.Sprintf("%.0f ms", v)
	}
	return fmt.Sprintf("%.1f s", v/1000)
}

// first cuts the end off a text that is longer than n characters.
func first(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n-3]) + "..."
	}
	return text
}

// unknownServer gives an unknown name its hints.
func unknownServer(err error) error {
	var unknown *watch.UnknownServerError
	if !errors.As(err, &unknown) {
		return daemonError(err)
	}
	return &Error{Code: ExitUsage, Err: err, Hints: []string{"surefoot server list   shows them; the site file names them"}, Machine: "not-found"}
}

// serverOf finds a server in a report.
func serverOf(rep watch.Report, name string) (watch.ServerReport, error) {
	var have []string
	for _, s := range rep.Servers {
		if s.Name == name {
			return s, nil
		}
		have = append(have, s.Name)
	}
	return watch.ServerReport{}, unknownServer(&watch.UnknownServerError{Name: name, Have: have})
}

// joinedOr joins words, or says that there are none.
func joinedOr(list []string, none string) string {
	return cmp.Or(strings.Join(list, ", "), none)
}
