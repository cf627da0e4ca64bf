package cli

import (
	"fmt"
	"io"
	"strings"

	"surefoot/internal/boot"
	dnsrole "surefoot/internal/serve/dns"
)

// printDNS writes an explanation for people.
func printDNS(w io.Writer, e dnsrole.Explanation) {
	row := func(name, text string) { wrapped(w, fmt.Sprintf("%-9s ", name), 10, text) }
	row("asked", e.Name+" "+e.Type)
	from := e.From.String()
	if e.From.IsSingleIP() {
		from = e.From.Addr().String()
	}
	if e.Network != "" {
		from += ", in network " + e.Network
	}
	row("by", from)
	row("node", e.Node)
	if e.Zone != "" {
		row("zone", e.Zone)
	}
	if n := e.Steered; n != nil {
		text := n.Name + ": servers that hand out " + n.File
		if n.Rule != "" {
			text += ", those of the rule " + n.Rule
		}
		row("name", text)
		row("order", fmt.Sprintf("%s, answers: %s, to be kept for %d s", n.Order, boot.AnswersText(n.Answers), e.TTL))
	}
	row("answer", fmt.Sprintf("%s: %s (%s)", e.Rcode, e.Text, e.Reason))
	if e.Choice != nil {
		fmt.Fprintln(w, "\nServers")
		for _, s := range e.Choice.Trace {
			mark := "out"
			if s.OK {
				mark = "in"
			}
			wrapped(w, fmt.Sprintf("  %-3s  %-18s ", mark, strings.TrimPrefix(s.Subject, "server ")), 26, s.Why)
		}
	}
	fmt.Fprintln(w, "\nThe answer as dig prints it")
	for line := range strings.Lines(e.Message) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			fmt.Fprintln(w, "  "+strings.ReplaceAll(line, "\t", " "))
		}
	}
}
