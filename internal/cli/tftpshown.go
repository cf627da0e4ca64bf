package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/journal"
	"surefoot/internal/journal/transfers"
	"surefoot/internal/web"
)

func (o *transferOptions) print(w io.Writer, t web.TFTP) {
	if o.client != "" || o.file != "" { // the rest is of all clients and files
		if len(t.Live)+len(t.Last) == 0 {
			fmt.Fprintln(w, "nothing that runs or is remembered is of this client and file")
		}
		printLive(w, t)
		printRecords(w, "LAST TRANSFERS", t.Last)
		return
	}
	printSummary(w, t)
	printLive(w, t)
	printRecords(w, "LAST FAILURES", t.Failures)
	printTalkers(w, t.Talkers)
}

// printSummary prints what is and was, of all clients.
func printSummary(w io.Writer, t web.TFTP) {
	row := func(name, format string, args ...any) {
		wrapped(w, fmt.Sprintf("%-12s ", name), 13, fmt.Sprintf(format, args...))
	}
	row("now", "%s", runningText(t))
	row("last minute", "%.1f downloads/s, %s/s, %s", t.Minute.Done, journal.Size(int64(t.Minute.Bytes)), resentText(t.Minute.Resent))
	k := t.Totals
	text := fmt.Sprintf("%d delivered (%s), %s, %d failed, %s", k.Done, journal.Size(k.Bytes), count(k.SizeQueries, "size query", "size queries"), k.Failed, count(k.Stalls, "stall", "stalls"))
	if k.Retransmits > 0 {
		text += fmt.Sprintf("; %d of %d packets sent again (%.1f %%)", k.Retransmits, k.Packets, 100*share(k.Retransmits, k.Packets))
	}
	if k.Uploads > 0 {
		text += fmt.Sprintf(", %d uploaded (%s)", k.Uploads, journal.Size(k.UploadBytes))
	}
	row("in all", "%s, since %s", text, t.Since.Local().Format(time.DateTime))
	reasons := slices.SortedFunc(maps.Keys(k.Ended), func(a, b boot.Reason) int {
		return cmp.Or(cmp.Compare(k.Ended[b], k.Ended[a]), strings.Compare(string(a), string(b)))
	})
	name := "failed"
	for _, r := range reasons {
		if !r.Good() {
			row(name, "%d x %s: %s", k.Ended[r], r, r.Text())
			name = ""
		}
	}
	if t.Missed+uint64(k.Lost) > 0 {
		row("not counted", "%d events were lost because too many came at once; the figures lack them", t.Missed)
	}
}

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func runningText(t web.TFTP) string {
	text := fmt.Sprintf("%d running", t.Running)
	switch {
	case t.Limits.MaxTransfers > 0:
		text += fmt.Sprintf(" of at most %d", t.Limits.MaxTransfers)
	case t.Running == 0:
		text = "this node serves no TFTP"
	}
	if t.Waiting > 0 {
		text += fmt.Sprintf(", %d waiting for a place", t.Waiting)
	}
	if t.Stalled > 0 {
		text += fmt.Sprintf(", %d STALLED", t.Stalled)
	}
	return text
}

func resentText(part float64) string {
	return fmt.Sprintf("%.1f %% of the packets sent again", 100*part)
}

func share(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// printLive prints what runs: a line each, and a second one where it does not move.
func printLive(w io.Writer, t web.TFTP) {
	if len(t.Live) == 0 {
		return
	}
	const row = "%-21s  %-7s  %-17s  %11s  %6s  %s\n"
	fmt.Fprintln(w, "\nUNDER WAY")
	fmt.Fprintf(w, row, "CLIENT", "STATE", "DELIVERED", "SPEED", "RESENT", "FILE")
	for i := range t.Live {
		r := &t.Live[i]
		fmt.Fprintf(w, row, fit(r.Client, 21), r.State, bar(r.Percent()), journal.Size(int64(r.BytesPerSecond))+"/s",
			fmt.Sprint(r.Retransmits), fit(fileOf(r), 26))
		if r.State != transfers.Running {
			fmt.Fprint(w, wrap(withMachine(r, r.Where), "    "))
		}
	}
	if more := t.Matching - len(t.Live); more > 0 {
		fmt.Fprintf(w, "and %d more (--limit)\n", more)
	}
}

// bar draws how much is delivered, in 17 columns.
func bar(percent int) string {
	if percent < 0 {
		return "size not known"
	}
	n := percent / 10
	return fmt.Sprintf("[%s%s] %3d %%", strings.Repeat("#", n), strings.Repeat(".", 10-n), percent)
}

// printRecords prints transfers that ended.
func printRecords(w io.Writer, title string, list []transfers.Record) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w, "\n"+title)
	for i := range list {
		fmt.Fprint(w, recordLines(&list[i]))
	}
}

// recordLines is a transfer in a line, and what is to be said of it below.
func recordLines(r *transfers.Record) string {
	what := string(r.State)
	if r.State == transfers.Failed {
		what = string(r.Reason)
	}
	out := fmt.Sprintf("%s  %-21s  %-19s  %s\n", r.Updated.Local().Format(time.TimeOnly), fit(r.Client, 21), what, fit(fileOf(r), 44))
	if r.State == transfers.SizeQuery {
		return out
	}
	if r.Bytes > 0 {
		text := fmt.Sprintf("%s in %s (%s/s)", journal.Size(r.Bytes), brief(r.Dur), journal.Size(int64(r.BytesPerSecond)))
		if r.Size > r.Bytes {
			text = fmt.Sprintf("%s of %s in %s", journal.Size(r.Bytes), journal.Size(r.Size), brief(r.Dur))
		}
		text += fmt.Sprintf(", blocks of %d, window %d, first block after %s, round trip %s", r.BlockSize, r.Window, brief(r.FirstBlock), brief(r.RTT))
		if r.Retransmits > 0 {
			text += fmt.Sprintf(", %d of %d packets sent again", r.Retransmits, r.Packets)
		}
		out += wrap(text, "          ")
	}
	if text := withMachine(r, r.Where); text != "" {
		out += wrap(text, "          ")
	}
	return out
}

// withMachine puts the machine's name before a text, where it is known.
func withMachine(r *transfers.Record, text string) string {
	m := r.Machine()
	switch {
	case m == "":
		return text
	case text == "":
		return m
	}
	return m + ": " + text
}

// fileOf is the file as found, else as asked for.
func fileOf(r *transfers.Record) string { return cmp.Or(r.File, r.Asked, "-") }

// printTalkers prints the shortest span of time in which anybody talked.
func printTalkers(w io.Writer, all []transfers.Window) {
	for i := range all {
		t := &all[i]
		if len(t.Clients) == 0 && i < len(all)-1 {
			continue
		}
		if len(t.Clients) == 0 {
			return
		}
		const row = "%-40s  %9s  %7s  %12s  %9s  %7s\n"
		missing := int64(0)
		list := func(title string, talkers []transfers.Talker) {
			fmt.Fprintf(w, "\n"+row, fmt.Sprintf("%s SINCE %s", title, t.Since.Local().Format(time.TimeOnly)), "DOWNLOADS", "FAILED", "SIZE QUERIES", "BYTES", "RESENT")
			for _, k := range talkers {
				fmt.Fprintf(w, row, fit(talkerName(&k), 40), fmt.Sprint(k.Transfers-k.Failed), fmt.Sprint(k.Failed),
					fmt.Sprint(k.SizeQueries), journal.Size(k.Bytes), fmt.Sprint(k.Retransmits))
				missing = max(missing, k.Missing)
			}
		}
		list("BUSIEST CLIENTS", t.Clients)
		list("BUSIEST FILES", t.Files)
		if missing > 0 {
			fmt.Fprint(w, wrap(fmt.Sprintf("(more clients or files than are counted apart: each line may lack up to %d requests and blocks)", missing), ""))
		}
		return
	}
}

func talkerName(k *transfers.Talker) string {
	if !k.IP.IsValid() {
		return k.File
	}
	name := cmp.Or(k.Name, k.MAC.String())
	if name == "" {
		return k.IP.String()
	}
	return k.IP.String() + " " + name
}

// brief writes a duration with three digits.
func brief(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%d us", d.Microseconds())
}
