package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/journal"
	"surefoot/internal/web"
)

const storyLong = `Show what each machine's boots went through, as this node saw them: asked, offered, port 4011,
the file, block by block, delivered, or stuck, where, and what that usually means.

  surefoot story                      the last boot of each machine, a line each
  surefoot story 52:54:00:12:34:56    all its boots with every step, the newest first
  surefoot story 34:56                the end of the address will do, or the IP address
  surefoot story --follow             what moves, as it moves`

type storyOptions struct {
	socket string
	json   bool
	follow bool
	limit  int
}

func newStoryCommand(env *Env) *cobra.Command {
	var o storyOptions
	cmd := &cobra.Command{
		Use:   "story [MAC]",
		Short: "what each machine's last boot went through",
		Long:  storyLong,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			machine := ""
			if len(args) == 1 {
				machine = args[0]
			}
			c := web.Dial(o.socket)
			if o.follow {
				return o.runFollow(cmd.Context(), env, c, machine)
			}
			return o.run(cmd.Context(), env, c, machine)
		},
	}
	socketFlag(cmd, env, &o.socket)
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "print JSON; with --follow a line for each movement")
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with what moves, until Ctrl-C")
	f.IntVar(&o.limit, "limit", 50, "stories at the most")
	return cmd
}

func (o *storyOptions) run(ctx context.Context, env *Env, c *web.Client, machine string) error {
	stories, err := c.Stories(ctx, journal.Query{
		Machine: machine, Limit: o.limit, Steps: machine != "" || o.json, Latest: machine == "",
	})
	if err != nil {
		return daemonError(err)
	}
	if o.json {
		if stories == nil {
			stories = []journal.Story{}
		}
		enc := json.NewEncoder(env.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(web.Stories{Stories: stories})
	}
	if machine == "" {
		printStories(env.Out, stories)
		return nil
	}
	if len(stories) == 0 {
		return &Error{
			Err:   fmt.Errorf("this node has seen no boot of %s", machine),
			Hints: []string{"surefoot story lists the machines it has seen; another node may have answered this one"}, Machine: "not-found",
		}
	}
	for i, s := range slices.Backward(stories) { // the newest last: it ends where the prompt is
		printSteps(env.Out, s)
		if i > 0 {
			fmt.Fprintln(env.Out)
		}
	}
	return nil
}

func (o *storyOptions) runFollow(ctx context.Context, env *Env, c *web.Client, machine string) error {
	err := c.Follow(ctx, machine, func(u journal.Update) error {
		if o.json {
			return json.NewEncoder(env.Out).Encode(u)
		}
		if u.Missed > 0 {
			fmt.Fprintf(env.Out, "(%d movements were too fast to show)\n", u.Missed)
		}
		if u.Event == nil {
			fmt.Fprintf(env.Out, "%s  %-17s  %s: %s\n", u.Story.Updated.Local().Format(time.TimeOnly), u.Story.Machine(), u.Story.State, u.Story.Where)
			return nil
		}
		fmt.Fprintf(env.Out, "%s  %-17s  %-13s %s\n", u.Event.Time.Local().Format("15:04:05.000"), u.Story.Machine(), u.Event.Kind, web.Describe(*u.Event))
		return nil
	})
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is how it is meant to end
	}
	return daemonError(err)
}

// printStories prints a line for each story.
func printStories(w io.Writer, stories []journal.Story) {
	if len(stories) == 0 {
		fmt.Fprintln(w, "no machine has asked for a boot yet")
		return
	}
	fmt.Fprintf(w, "%-9s %-18s %-16s %-9s %-8s %s\n", "TIME", "MACHINE", "ADDRESS", "FIRMWARE", "STATE", "WHERE IT IS")
	for _, s := range stories {
		ip := "-"
		if s.IP.IsValid() {
			ip = s.IP.String()
		}
		fmt.Fprintf(w, "%-9s %-18s %-16s %-9s %-8s %s\n", s.Updated.Local().Format(time.TimeOnly), s.Machine(), ip, s.Firmware, s.State, s.Where)
	}
}

// printSteps prints a story with all its steps.
func printSteps(w io.Writer, s journal.Story) {
	fmt.Fprintf(w, "%s  %s  %s", s.Machine(), s.Started.Local().Format(time.DateTime), s.ID)
	if s.IP.IsValid() && !s.MAC.IsZero() {
		fmt.Fprintf(w, "  %s", s.IP)
	}
	if s.Arch != nil {
		fmt.Fprintf(w, "  %s", s.Arch)
	}
	if s.Network != "" {
		fmt.Fprintf(w, "  network %s", s.Network)
	}
	fmt.Fprintln(w)
	for _, ev := range s.Steps {
		who := string(ev.Firmware)
		fmt.Fprintf(w, "  %+9.3f s  %-9s %-13s %-9s %s\n", ev.Time.Sub(s.Started).Seconds(), ev.Role, ev.Kind, who, web.Describe(ev))
	}
	if s.Omitted > 0 {
		fmt.Fprintf(w, "  (%d steps in the middle are not kept)\n", s.Omitted)
	}
	fmt.Fprintf(w, "  %s: %s\n", s.State, s.Where)
}
