package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/lb/vip"
	"surefoot/internal/web"
)

const vipLong = `Show the service addresses that move between nodes, as this node stands with them.

  surefoot vip                              the same as list
  surefoot vip list                         state, priority and master of each
  surefoot vip show boot                    all about one
  surefoot vip move boot                    let the next node have it for ten minutes
  surefoot vip hold                         the next stop of this node is a restart: the address stays`

func newVIPCommand(env *Env) *cobra.Command {
	var o, l serverOptions
	cmd := &cobra.Command{
		Use: "vip", Short: "service addresses that move between nodes", Long: vipLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.vips(cmd.Context(), env, "") },
	}
	o.addFlags(cmd, env)
	list := &cobra.Command{
		Use: "list", Short: "state, priority and master of each", Args: cobra.NoArgs,
		Long: `List the service addresses of this node. Exit status 3 if somebody is in the way of one, or this
node cannot take part.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return l.vips(cmd.Context(), env, "") },
	}
	l.addFlags(list, env)
	cmd.AddCommand(list, newVIPShowCommand(env), newVIPMoveCommand(env), newVIPHoldCommand(env))
	return cmd
}

func newVIPShowCommand(env *Env) *cobra.Command {
	var o serverOptions
	cmd := &cobra.Command{
		Use: "show NAME", Short: "all about one", Args: cobra.ExactArgs(1),
		Long: `Show how this node stands with a service address: what it is, whom it hears, what it ignores and
why. Exit status 3 if somebody is in the way, or this node cannot take part.`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.vips(cmd.Context(), env, args[0]) },
	}
	o.addFlags(cmd, env)
	return cmd
}

func (o *serverOptions) vips(ctx context.Context, env *Env, name string) error {
	rep, err := web.Dial(o.socket).VIPs(ctx)
	if err != nil {
		return daemonError(err)
	}
	if name != "" {
		var have []string
		for _, v := range rep.VIPs {
			have = append(have, v.Name)
		}
		rep.VIPs = slices.DeleteFunc(rep.VIPs, func(v vip.Report) bool { return v.Name != name })
		if len(rep.VIPs) == 0 {
			hint := "this node takes part in none; the section vips of the site file names them"
			if len(have) > 0 {
				hint = "this node takes part in " + strings.Join(have, ", ")
			}
			return &Error{Code: ExitUsage, Err: fmt.Errorf("there is no vip %.80q", name), Hints: []string{hint}, Machine: "not-found"}
		}
	}
	switch {
	case o.json:
		if err := printJSON(env.Out, rep); err != nil {
			return err
		}
	case name != "":
		printVIP(env.Out, rep.Node, rep.VIPs[0], rep.Time)
	default:
		printVIPs(env.Out, rep)
	}
	if slices.ContainsFunc(rep.VIPs, func(v vip.Report) bool { return v.Conflict != nil || v.Trouble != "" }) {
		return &Error{Code: ExitProblems}
	}
	return nil
}

func printVIPs(w io.Writer, rep web.VIPs) {
	if len(rep.VIPs) == 0 {
		fmt.Fprint(w, wrap("node "+rep.Node+" takes part in no service address: the section vips of the site file names none, or other nodes", ""))
		return
	}
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(t, "VIP\tADDRESS\tINTERFACE\tVRID\tSTATE\tSINCE\tPRIORITY\tMASTER")
	for _, v := range rep.VIPs {
		if v.External {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", fit(v.Name, 20), v.Address, v.Interface, "-", v.State, since(v.Since, rep.Time), "external", masterOf(rep.Node, v))
			continue
		}
		priority := fmt.Sprint(v.Priority)
		if v.Priority != v.Base {
			priority += fmt.Sprintf(" (of %d)", v.Base)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", fit(v.Name, 20), v.Address, v.Interface, v.VRID, v.State, since(v.Since, rep.Time), priority, masterOf(rep.Node, v))
	}
	_ = t.Flush()
	for _, v := range rep.VIPs {
		printVIPTrouble(w, v)
	}
}

func masterOf(node string, v vip.Report) string {
	switch {
	case v.State == vip.Master:
		return node + " (this node)"
	case v.Master.IsValid():
		return fmt.Sprintf("%s, priority %d", v.Master, v.MasterPriority)
	}
	return "-"
}

func printVIPTrouble(w io.Writer, v vip.Report) {
	if v.Trouble != "" {
		fmt.Fprint(w, wrap(v.Name+": "+v.Trouble, "  "))
	}
	if c := v.Conflict; c != nil {
		fmt.Fprint(w, wrap(fmt.Sprintf("%s: %s (%s): %s", v.Name, c.Reason.Text(), c.From, c.Text), "  "))
	}
	if v.Lowered != "" {
		fmt.Fprint(w, wrap(fmt.Sprintf("%s: priority %d instead of %d: %s", v.Name, v.Priority, v.Base, v.Lowered), "  "))
	}
}

func printVIP(w io.Writer, node string, v vip.Report, now time.Time) {
	fmt.Fprintf(w, "%s: %s on %s, %s for %s\n", v.Name, v.Address, v.Interface, v.State, since(v.Since, now))
	to := "the multicast group"
	if len(v.Peers) > 0 {
		var list []string
		for _, p := range v.Peers {
			list = append(list, p.String())
		}
		to = strings.Join(list, ", ")
	}
	if v.External {
		fmt.Fprint(w, wrap("another program moves it, and says so by surefoot lb role (ha: external)", "  "))
		printVIPTrouble(w, v)
		fmt.Fprintf(w, "  taken %s\n", times(int(v.Takeovers)))
		return
	}
	fmt.Fprint(w, wrap(fmt.Sprintf("VRRP version %d, group %d, every %s, from %s to %s", v.Version, v.VRID, v.Interval, v.From, to), "  "))
	var nodes []string
	for _, m := range v.Members {
		nodes = append(nodes, fmt.Sprintf("%s %d", m.Node, m.Priority))
	}
	fmt.Fprint(w, wrap("nodes by priority: "+strings.Join(nodes, ", "), "  "))
	fmt.Fprintf(w, "  master: %s\n", masterOf(node, v))
	printVIPTrouble(w, v)
	fmt.Fprintf(w, "  taken %s, %d advertisements sent, %d received\n", times(int(v.Takeovers)), v.Sent, v.Received)
	for why, n := range v.Ignored {
		fmt.Fprint(w, wrap(fmt.Sprintf("ignored %d: %s (%s)", n, why, why.Text()), "  "))
	}
	if !v.HoldUntil.IsZero() {
		fmt.Fprintf(w, "  a stop until %s is a restart: the address stays\n", v.HoldUntil.Local().Format(time.TimeOnly))
	}
}

// vipError gives a refusal of the node its hints.
func vipError(err error) error {
	var refusal *vip.Refusal
	if errors.As(err, &refusal) {
		return &Error{Code: ExitFailed, Err: err, Hints: refusal.Fix, Machine: "refused"}
	}
	return daemonError(err)
}

func newVIPMoveCommand(env *Env) *cobra.Command {
	var o serverOptions
	var to string
	var span time.Duration
	var dry, back bool
	cmd := &cobra.Command{
		Use: "move NAME [--to NODE] [--for 10m]", Short: "let the next node have an address for a while", Args: cobra.ExactArgs(1),
		Long: `Let the next node have a service address: the node that has it lowers its priority to 1 for a while.
It is said on that node. The address is at both for some milliseconds and never at none. Afterwards
it comes back if preempt is on. Transfers that come to it break off, as when a node dies.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if span <= 0 {
				return usageError(cmd, fmt.Errorf("--for %s is no time to come", span))
			}
			if back {
				span = 0
			}
			out, err := web.Dial(o.socket).MoveVIP(cmd.Context(), args[0], web.MoveRequest{To: to, For: span, DryRun: dry})
			if err != nil {
				return vipError(err)
			}
			if o.json {
				return printJSON(env.Out, out)
			}
			head := out.Name
			if dry {
				head += " (nothing is changed)"
			}
			if !out.Until.IsZero() {
				head += ", until " + out.Until.Local().Format(time.TimeOnly)
			}
			fmt.Fprint(env.Out, wrap(head+": "+out.Text, ""))
			return nil
		},
	}
	o.addFlags(cmd, env)
	f := cmd.Flags()
	f.StringVar(&to, "to", "", "the node that is to have it: refused unless it is the next by priority")
	f.DurationVar(&span, "for", 10*time.Minute, "how long, as in 2h or 30m")
	f.BoolVar(&back, "back", false, "end it: the node has its priority again")
	f.BoolVar(&dry, "dry-run", false, "say what would come of it, and change nothing")
	return cmd
}

func newVIPHoldCommand(env *Env) *cobra.Command {
	var o serverOptions
	var span time.Duration
	cmd := &cobra.Command{
		Use: "hold [--for 30s]", Short: "make the next stop a restart: addresses stay", Args: cobra.NoArgs,
		Long: `Make the next stop of this node within a while a restart: it says no farewell, and leaves its service
addresses on their interfaces for the process that starts after it. That one has three intervals
and a bit; later another node has the address, and what was left is removed at the start.

  surefoot vip hold && systemctl restart surefoot`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if span <= 0 || span > time.Hour {
				return usageError(cmd, fmt.Errorf("--for %s is not between 1s and 1h", span))
			}
			if err := web.Dial(o.socket).HoldVIPs(cmd.Context(), span); err != nil {
				return vipError(err)
			}
			fmt.Fprintf(env.Out, "a stop within %s is a restart: service addresses stay on this node\n", span)
			return nil
		},
	}
	o.addFlags(cmd, env)
	cmd.Flags().DurationVar(&span, "for", 30*time.Second, "how long it holds")
	return cmd
}
