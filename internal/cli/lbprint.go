package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"surefoot/internal/app"
	"surefoot/internal/journal"
	"surefoot/internal/lb"
)

func printBalanceChoice(w io.Writer, c app.BalanceChoice) {
	ask := fmt.Sprintf("%s asks service %s (%s) on node %s", c.From, c.Service, c.Mode, c.Node)
	if c.File != "" {
		ask += " for " + c.File
	}
	fmt.Fprint(w, wrap(ask, ""))
	for _, s := range c.Trace {
		mark := "no"
		if s.OK {
			mark = "yes"
		}
		wrapped(w, fmt.Sprintf("  %-3s  %-18s ", mark, s.Subject), 26, s.Why)
	}
	b, ok := c.First()
	switch {
	case !ok:
		fmt.Fprintln(w, "no backend gets it")
	case c.Mode == lb.Relay:
		fmt.Fprint(w, wrap(fmt.Sprintf("backend %s at %s; where a download of the file is shared, it comes from whom that began with", b.Name, b.TFTP), ""))
	default:
		fmt.Fprintf(w, "backend %s at %s\n", b.Name, b.TFTP.Addr())
	}
}

func printBalance(w io.Writer, v app.BalanceView) {
	head := fmt.Sprintf("%s: %s, mode %s, scheduler %s", v.Name, v.Where(), v.Mode, v.Scheduler)
	if v.Role != "" {
		head += fmt.Sprintf(", by %s on %s, %s", v.By, cmp.Or(v.Interface, "every interface"), v.Role)
	}
	if v.Persist > 0 {
		head += fmt.Sprintf("; a client keeps its backend for %s", v.Persist)
	}
	if v.Stats != nil {
		head += fmt.Sprintf("; %s shared by %d requests", journal.Size(v.Stats.Cached), v.Stats.Shared)
	}
	fmt.Fprint(w, wrap(head, ""))
	if v.Trouble != "" {
		fmt.Fprint(w, wrap("trouble: "+v.Trouble, "  "))
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if v.Mode == lb.Relay {
		fmt.Fprintln(t, "  BACKEND\tADDRESS\tWEIGHT\tSTATE\tRUNNING\tFETCHED\tDOWNLOADS")
	} else {
		fmt.Fprintln(t, "  BACKEND\tADDRESS\tWEIGHT\tSTATE\tSHARE\tREQUESTS\tRETRIES\tCARRIED")
	}
	for i, b := range v.Backends {
		state, _ := v.StateOf(i)
		row := []string{b.Name, b.TFTP.String(), fmt.Sprint(b.Weight), fit(state, 30)}
		if v.Mode == lb.Relay {
			running, fetched, ended := "-", "-", "-"
			if v.Stats != nil {
				s := v.Stats.Backends[b.Name]
				running, fetched, ended = fmt.Sprint(s.Running), journal.Size(s.Bytes), endedText(s.Ended)
			}
			row = append(row, running, fetched, ended)
		} else {
			row = append(row, countsOf(v, b.Name)...)
		}
		fmt.Fprintln(t, "  "+strings.Join(row, "\t"))
	}
	_ = t.Flush()
}

// countsOf are the columns of what went to a backend.
func countsOf(v app.BalanceView, name string) []string {
	if len(v.Counts) == 0 {
		return []string{"-", "-", "-", "-"}
	}
	c, part := v.Count(name)
	share := "-"
	if part >= 0 {
		share = fmt.Sprintf("%d %%", part)
	}
	return []string{share, fmt.Sprint(c.Requests), fmt.Sprint(c.Retries), fmt.Sprintf("%s, %d packets", journal.Size(int64(c.Bytes)), c.Packets)}
}
