package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"surefoot/internal/store"
)

// printShared prints how things stand between this node, the store and the other nodes.
func printShared(w io.Writer, s *store.Shared) {
	how := fmt.Sprintf("answers since %s, by %s", s.Since.Local().Format(time.DateTime), s.Endpoint)
	if !s.Contact {
		how = fmt.Sprintf("DOES NOT ANSWER since %s: %s", s.Since.Local().Format(time.DateTime), s.Why)
	}
	fmt.Fprint(w, "\n"+wrap("shared store: "+how, ""))
	fmt.Fprint(w, wrap(fmt.Sprintf("%s, %d not published; claims: %d won (median %s, longest %s), %d lost, %d late, %d without contact; changes seen after %s",
		plural(s.Records, "record"), s.Unpublished, s.Won, short(s.Median), short(s.Worst), s.Lost, s.Late, s.Refused, short(s.Lag)), "  "))
	if !s.Doubt.IsZero() {
		fmt.Fprint(w, wrap("CLOCKS DIFFER too much, or did lately: until "+s.Doubt.Local().Format(time.DateTime)+" no address passes from one machine to another", "  "))
	}
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(t, "\nNETWORK\tFREE OF OWN\tOWN BLOCKS")
	for _, n := range s.Networks {
		blocks := fit(strings.Join(n.Blocks, ", "), 60)
		if n.Crowded {
			blocks = "NONE: the range is too small or too full"
		}
		fmt.Fprintf(t, "%s\t%d of %d\t%s\n", fit(n.Network, 24), n.Free, n.Own, blocks)
	}
	fmt.Fprintln(t, "\nNODE\tIN THE STORE\tSTARTED\tCLOCK")
	for _, n := range s.Nodes {
		state, ahead := "present", fmt.Sprintf("%+.1fs", n.Clock.Seconds())
		if !n.Present {
			state = "absent"
		}
		if n.Self || n.Seen.IsZero() {
			ahead = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", fit(n.Name, 24), state, n.Started.Local().Format(time.DateTime), ahead)
	}
	_ = t.Flush()
}

// short prints a time in as many digits as it is worth.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}
