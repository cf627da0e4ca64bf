package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"surefoot/internal/boot"
	"surefoot/internal/journal"
	"surefoot/internal/web"
)

const storyLong = `Show what each machine's boots went through, as this node saw them: asked, offered, port 4011,
the file, block by block, delivered, or stuck, where, and what that usually means.

  surefoot story                      the last boot of each machine
  surefoot story 52:54:00:12:34:56    all its boots with every step, the newest last
  surefoot story 34:56                the end of the address will do, or the IP address
  surefoot story --follow             what moves, as it moves
  surefoot story --since 24h          from the history: also what was before the last restart`

type storyOptions struct {
	socket string
	json   bool
	follow bool
	since  string
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
			if o.limit < 1 || o.limit > 10000 {
				return usageError(cmd, fmt.Errorf("--limit %d is not a number from 1 to 10000", o.limit))
			}
			c := web.Dial(o.socket)
			if o.since != "" {
				return o.runPast(cmd, env, machine)
			}
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
	f.StringVar(&o.since, "since", "", "from the history, beginning then: 24h, 7d, or a time")
	f.IntVar(&o.limit, "limit", 50, "stories at the most, from 1 to 10000")
	return cmd
}

func (o *storyOptions) run(ctx context.Context, env *Env, c *web.Client, machine string) error {
	stories, err := c.Stories(ctx, journal.Query{
		Machine: machine, Limit: o.limit, Steps: machine != "" || o.json, Latest: machine == "",
	})
	if err != nil {
		return daemonError(err)
	}
	return o.print(env, machine, stories)
}

// print prints stories, the newest first in the list.
func (o *storyOptions) print(env *Env, machine string, stories []journal.Story) error {
	if machine != "" {
		if err := single(machine, stories); err != nil {
			return err
		}
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
	for i, s := range slices.Backward(stories) { // the newest last: it ends where the prompt is
		printSteps(env.Out, s)
		if i > 0 {
			fmt.Fprintln(env.Out)
		}
	}
	return nil
}

// single refuses a text that means no machine, and the end of an address that several have.
func single(text string, stories []journal.Story) error {
	if len(stories) == 0 && !isAddress(text) {
		return &Error{
			Code: ExitUsage, Machine: "usage",
			Err:   fmt.Errorf("%.80q is no MAC address or end of one, no IP address, and no machine of that name was seen", text),
			Hints: []string{"surefoot story   lists the machines that this node has seen"},
		}
	}
	if len(stories) == 0 {
		return &Error{
			Err:   fmt.Errorf("this node has seen no boot of %s", text),
			Hints: []string{"surefoot story lists the machines it has seen; another node may have answered this one"}, Machine: "not-found",
		}
	}
	var machines []string
	for _, s := range stories {
		if m := s.Machine(); !slices.Contains(machines, m) {
			machines = append(machines, m)
		}
	}
	if len(machines) < 2 {
		return nil
	}
	slices.Sort(machines)
	return &Error{
		Code: ExitUsage, Machine: "ambiguous",
		Err:   fmt.Errorf("%q means %d machines: %s", text, len(machines), fit(strings.Join(machines, ", "), 400)),
		Hints: []string{"give more of the address"},
	}
}

// isAddress reports whether a text could be a MAC address, the end of one, or an IP address.
func isAddress(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	plain := strings.NewReplacer(":", "", "-", "", ".", "").Replace(text)
	return len(plain) >= 2 && len(plain) <= 12 && strings.Trim(plain, "0123456789abcdefABCDEF") == ""
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

// printStories prints each story: who and how it stands on one line, the sentence below it.
func printStories(w io.Writer, stories []journal.Story) {
	if len(stories) == 0 {
		fmt.Fprintln(w, "no machine has asked for a boot yet")
		return
	}
	const row = "%-8s  %-17s  %-15s  %-9s  %-7s  %s\n"
	fmt.Fprintf(w, row, "TIME", "MACHINE", "ADDRESS", "FIRMWARE", "STATE", "FILE")
	for _, s := range stories {
		ip := "-"
		if s.IP.IsValid() {
			ip = s.IP.String()
		}
		fmt.Fprintf(w, row, s.Updated.Local().Format(time.TimeOnly), s.Machine(), ip, cmp.Or(string(s.Firmware), "-"), s.State, cmp.Or(fit(s.File, 34), "-"))
		fmt.Fprint(w, wrap(s.Where, "          "))
	}
}

// wrap breaks a text into lines of at most columns, each with the indent.
func wrap(text, indent string) string {
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line) > len(indent) && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
			b.WriteString(line + "\n")
			line = indent
		}
		if len(line) > len(indent) {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
	return b.String()
}

// fit cuts the beginning off a text that is longer than n characters: the end of a path says more.
func fit(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return "..." + string(r[len(r)-n+3:])
	}
	return text
}

// step is a step in words, with the firmware where it says who asks.
func step(ev boot.Event) string {
	text := web.Describe(ev)
	if ev.Kind == boot.DiscoverSeen && ev.Firmware != "" {
		text = string(ev.Firmware) + " " + text
	}
	return text
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
	if m := s.Media; m != nil {
		fmt.Fprintf(w, "  boots from medium %s, built by surefoot %s\n", m.ID, orNone(m.Version))
	}
	for _, ev := range s.Steps {
		fmt.Fprintf(w, "  %+9.3f s  %-9s  %-12s  %s\n", ev.Time.Sub(s.Started).Seconds(), ev.Role, ev.Kind, step(ev))
	}
	if s.Omitted > 0 {
		fmt.Fprintf(w, "  (%d steps in the middle are not kept)\n", s.Omitted)
	}
	fmt.Fprint(w, wrap(string(s.State)+": "+s.Where, "  "))
}
