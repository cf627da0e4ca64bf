package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"surefoot/internal/watch"
)

// printSegments prints who answers DISCOVERs: a line for each segment, and below what is wrong there.
func printSegments(w io.Writer, rep watch.Report, pretty bool) {
	if len(rep.Segments) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(t, "DISCOVERS\tNETWORK\tSTATE\tSINCE\tAVAIL\tRESPONSE\tRESULTS")
	for _, s := range rep.Segments {
		last, network := time.Duration(0), "-"
		if s.Last != nil {
			last = s.Last.Response
		}
		if s.Network != "" {
			network = s.Network
		}
		samples := s.Samples[max(0, len(s.Samples)-30):]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", fit(s.Name, 20), fit(network, 16), s.State, since(s.Since, rep.Time), availability(s.Availability), response(last), spark(samples, pretty))
	}
	_ = t.Flush()
	for _, s := range rep.Segments {
		if s.Last == nil {
			continue
		}
		if s.Last.State != watch.Answered {
			fmt.Fprint(w, wrap(s.Name+": "+s.Last.Text, "  "))
		}
		for _, x := range s.Last.Services {
			if x.Stranger() {
				fmt.Fprint(w, wrap(s.Name+": NOT KNOWN, and says what to boot: "+service(x), "  "))
			}
		}
		if len(s.Last.Missing) > 0 {
			fmt.Fprint(w, wrap(s.Name+": expected, and does not answer: "+strings.Join(s.Last.Missing, ", "), "  "))
		}
	}
}

// service says who answers, and what.
func service(s watch.Service) string {
	who := s.Server
	if s.MAC != "" {
		who += " (MAC " + s.MAC + ")"
	}
	if s.From != s.Server {
		who += " by " + s.From
	}
	return who + " offers " + strings.Join(s.Offers, " | ")
}

// printSegment prints everything about one segment.
func printSegment(w io.Writer, s watch.SegmentReport, now time.Time, pretty, trace bool) {
	fmt.Fprintf(w, "%s: %s\n", s.Name, s.State)
	what := "DISCOVERs"
	if strings.HasPrefix(s.Name, "dhcp6/") {
		what = "SOLICITs"
	}
	head := fmt.Sprintf("%s on %s every %s, %s, %s without an address, %s that could not ask", what, s.Interface, s.Every,
		plural(int(s.Runs), "probe"), plural(int(s.BadRuns), "probe"), plural(int(s.Errors), "probe"))
	if s.Network != "" {
		head = "network " + s.Network + ": " + head
	}
	fmt.Fprint(w, wrap(head, "  "))
	if !s.Since.IsZero() {
		fmt.Fprint(w, wrap(fmt.Sprintf("%s for %s: %s", s.State, since(s.Since, now), s.Text), "  "))
	}
	if len(s.Samples) > 0 {
		fmt.Fprintf(w, "  %s  %s available\n", spark(s.Samples, pretty), availability(s.Availability))
	}
	l := s.Last
	if l == nil {
		return
	}
	asked := fmt.Sprintf("last, %s ago", since(l.Time, now))
	if l.MAC != "" {
		asked += ", from MAC " + l.MAC
	}
	fmt.Fprint(w, wrap(asked+": "+l.Text, "  "))
	if l.State != watch.Answered {
		for _, h := range l.Hints {
			fmt.Fprint(w, wrap("look: "+h, "    "))
		}
	}
	if l.Note != "" {
		fmt.Fprint(w, wrap("note: "+l.Note, "    "))
	}
	for _, x := range l.Services {
		known := x.Known
		if known == "" && x.Boot {
			known = "NOT KNOWN"
		} else if known == "" {
			known = "not named in the site file"
		}
		fmt.Fprint(w, wrap(known+": "+service(x), "    "))
	}
	for _, m := range l.Missing {
		fmt.Fprint(w, wrap("expected, and does not answer: "+m, "    "))
	}
	if trace {
		printTrace(w, l.Trace, "      ")
	}
}

// segmentVerdict is the error of segments with problems.
func segmentVerdict(list []watch.SegmentReport) error {
	if slices.ContainsFunc(list, func(s watch.SegmentReport) bool {
		return s.State == watch.Silent || s.State == watch.Deaf ||
			s.Last != nil && slices.ContainsFunc(s.Last.Services, func(x watch.Service) bool { return x.Stranger() })
	}) {
		return &Error{Code: ExitProblems}
	}
	return nil
}
