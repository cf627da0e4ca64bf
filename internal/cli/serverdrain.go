package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/watch"
	"surefoot/internal/web"
)

type drainOptions struct {
	serverOptions
	span   time.Duration
	reason string
	dry    bool
}

func newServerDrainCommand(env *Env) *cobra.Command {
	var o drainOptions
	cmd := &cobra.Command{
		Use:   "drain NAME [--for 2h] [--reason TEXT]",
		Short: "leave a server out of new answers",
		Long: `Leave a server out of new answers on this node, at once, until it is resumed or for a while.
Downloads that are running go on. A restart does not forget it. If nobody else is alive to hand
out a file, machines are still sent there, and status warns of it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("for") && o.span <= 0 {
				return usageError(cmd, fmt.Errorf("--for %s is no time to come", o.span))
			}
			return o.run(cmd.Context(), env, func(ctx context.Context, c *web.Client) (watch.DrainResult, error) {
				return c.Drain(ctx, args[0], web.DrainRequest{For: o.span, Reason: o.reason, DryRun: o.dry})
			})
		},
	}
	o.addFlags(cmd, env)
	f := cmd.Flags()
	f.DurationVar(&o.span, "for", 0, "how long, as in 2h or 30m (default: until it is resumed)")
	f.StringVar(&o.reason, "reason", "", "why, for whoever looks")
	f.BoolVar(&o.dry, "dry-run", false, "say what would come of it, and change nothing")
	return cmd
}

func newServerResumeCommand(env *Env) *cobra.Command {
	var o drainOptions
	cmd := &cobra.Command{
		Use:   "resume NAME",
		Short: "end the drain of a server",
		Long:  `Name a drained server in new answers again, on this node, if it is up.`,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), env, func(ctx context.Context, c *web.Client) (watch.DrainResult, error) {
				return c.Resume(ctx, args[0], o.dry)
			})
		},
	}
	o.addFlags(cmd, env)
	cmd.Flags().BoolVar(&o.dry, "dry-run", false, "say what would come of it, and change nothing")
	return cmd
}

func (o *drainOptions) run(ctx context.Context, env *Env, do func(context.Context, *web.Client) (watch.DrainResult, error)) error {
	out, err := do(ctx, web.Dial(o.socket))
	if err != nil {
		return unknownServer(err)
	}
	if o.json {
		return printJSON(env.Out, out)
	}
	printDrain(env.Out, out)
	return nil
}

func printDrain(w io.Writer, d watch.DrainResult) {
	text := d.Server
	verb := map[bool]string{false: "is", true: "would be"}[d.DryRun]
	switch {
	case d.Drain != nil && d.Drain.Until.IsZero():
		text += " " + verb + " drained until it is resumed"
	case d.Drain != nil:
		text += " " + verb + " drained until " + d.Drain.Until.Local().Format(time.DateTime)
	case d.Changed:
		text += " " + verb + " drained no more"
	default:
		text += " is not drained: there is nothing to do"
	}
	fmt.Fprint(w, wrap(text, ""))
	for _, e := range d.Effects {
		fmt.Fprint(w, wrap(e, "  "))
	}
	if len(d.Others) > 0 && d.Changed {
		fmt.Fprint(w, wrap("this node only: say the same on "+joinedOr(d.Others, ""), "  "))
	}
	if d.NotKept != "" {
		fmt.Fprint(w, wrap("warning: it ends with this process: "+cmp.Or(d.NotKept, "it cannot be kept"), "  "))
	}
}
