package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/health"
	"surefoot/internal/watch"
	"surefoot/internal/web"
)

const watchLong = `Show the downloads that this node does again and again to find out which servers deliver: one for
each file of each rule on each of its servers, and those of watch.tests in the site file; and the
DISCOVERs that it sends to find out who answers them.

  surefoot watch                           the same as show
  surefoot watch show                      every test: state, availability, response time
  surefoot watch show pvs1/ARDBP32.BIN     all about one
  surefoot watch show dhcp/eth1            who answers DISCOVERs on an interface, and with what
  surefoot watch show --follow             each result as it comes, until Ctrl-C`

type watchOptions struct {
	serverOptions
	follow bool
	trace  bool
}

func newWatchCommand(env *Env) *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use: "watch", Short: "the downloads that find out which servers deliver", Long: watchLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env, "") },
	}
	o.addFlags(cmd, env)
	var s watchOptions
	show := &cobra.Command{
		Use: "show [TEST]", Short: "every test, or all about one", Args: cobra.MaximumNArgs(1),
		Long: `Show the tests of this node, or all about one. The line of results runs from the oldest to the
newest; an x is a download that failed, or a DISCOVER without an offer of an address. Exit status 3
if a test is down, a segment silent or deaf, or a boot service answers that nobody named.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.run(cmd.Context(), env, strings.Join(args, ""))
		},
	}
	s.addFlags(show, env)
	show.Flags().BoolVarP(&s.follow, "follow", "f", false, "go on with each result as it comes, until Ctrl-C")
	show.Flags().BoolVar(&s.trace, "trace", false, "of one test: show the packets of the last diagnoses")
	cmd.AddCommand(show, newWatchHistoryCommand(env))
	return cmd
}

func (o *watchOptions) run(ctx context.Context, env *Env, test string) error {
	c := web.Dial(o.socket)
	rep, err := c.Watch(ctx, watch.Query{Test: test, Samples: sparkWidth, Diagnoses: test != "" || o.json})
	if err != nil {
		return daemonError(err)
	}
	if test != "" && len(rep.Tests)+len(rep.Segments) == 0 {
		return noTest(ctx, c, test)
	}
	if o.follow {
		return o.runFollow(ctx, env, c, test)
	}
	if o.json {
		if err := printJSON(env.Out, rep); err != nil {
			return err
		}
		return watchVerdict(rep)
	}
	pretty := unicodeTerminal(env)
	if test != "" && len(rep.Segments) > 0 {
		printSegment(env.Out, rep.Segments[0], rep.Time, pretty, o.trace)
		return watchVerdict(rep)
	}
	if test != "" {
		printTest(env.Out, rep.Tests[0], rep.Time, pretty, o.trace)
		return testVerdict(rep.Tests)
	}
	printTests(env.Out, rep, pretty)
	printSegments(env.Out, rep, pretty)
	printFindings(env.Out, rep.Findings)
	return watchVerdict(rep)
}

func watchVerdict(rep watch.Report) error {
	if err := testVerdict(rep.Tests); err != nil {
		return err
	}
	return segmentVerdict(rep.Segments)
}

func testVerdict(tests []watch.TestReport) error {
	if slices.ContainsFunc(tests, func(t watch.TestReport) bool { return t.State == health.Down }) {
		return &Error{Code: ExitProblems}
	}
	return nil
}

// noTest says which tests there are instead.
func noTest(ctx context.Context, c *web.Client, test string) error {
	rep, err := c.Watch(ctx, watch.Query{})
	if err != nil {
		return daemonError(err)
	}
	var near []string
	names := []string{}
	for _, t := range rep.Tests {
		names = append(names, t.Name)
	}
	for _, s := range rep.Segments {
		names = append(names, s.Name)
	}
	for _, name := range names {
		if strings.Contains(strings.ToLower(name), strings.ToLower(test)) {
			near = append(near, name)
		}
	}
	hint := "surefoot watch show   lists them"
	if len(near) > 0 {
		hint = "is one of these meant: " + fit(strings.Join(near, ", "), 200)
	}
	return &Error{Code: ExitUsage, Err: fmt.Errorf("there is no test %.80q", test), Hints: []string{hint}, Machine: "not-found"}
}

func printTests(w io.Writer, rep watch.Report, pretty bool) {
	if len(rep.Tests) == 0 {
		fmt.Fprint(w, wrap(notWatched, ""))
		return
	}
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(t, "TEST\tSTATE\tSINCE\tAVAIL\tRESPONSE\tRESULTS")
	for _, x := range rep.Tests {
		last := time.Duration(0)
		if x.Last != nil {
			last = x.Last.Response
		}
		samples := x.Samples[max(0, len(x.Samples)-30):]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", fit(x.Name, 34), x.State, since(x.Since, rep.Time), availability(x.Availability), response(last), spark(samples, pretty))
	}
	_ = t.Flush()
}

func (o *watchOptions) runFollow(ctx context.Context, env *Env, c *web.Client, test string) error {
	err := c.FollowWatch(ctx, test, func(u watch.Update) error {
		if o.json {
			return json.NewEncoder(env.Out).Encode(u)
		}
		if u.Missed > 0 {
			fmt.Fprintf(env.Out, "(%d results were too fast to show)\n", u.Missed)
		}
		if r := u.Result; r != nil {
			fmt.Fprintf(env.Out, "%s  %-34s %s\n", r.Time.Local().Format("15:04:05.000"), fit(r.Test, 34), outcome(r))
		}
		if l := u.Look; l != nil {
			fmt.Fprintf(env.Out, "%s  %-34s %s: %s\n", l.Time.Local().Format("15:04:05.000"), fit(l.Name, 34), l.State, l.Text)
		}
		if x := u.Change; x != nil {
			name := x.Test
			if name == "" {
				name = x.Server
			}
			fmt.Fprintf(env.Out, "%s  %-34s %s: %s\n", x.Time.Local().Format("15:04:05.000"), fit(name, 34), x.Reason, x.Text)
		}
		return nil
	})
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is how it is meant to end
	}
	return daemonError(err)
}
