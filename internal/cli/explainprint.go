package cli

import (
	"fmt"
	"io"
	"strings"

	"surefoot/internal/boot"
)

// print writes an explanation for people.
func (e explanation) print(w io.Writer) {
	a := e.Decision.Answer
	row := func(name, text string) { wrapped(w, fmt.Sprintf("%-9s ", name), 10, text) }
	client := fmt.Sprintf("%s  %s  %s", e.Client.MAC, e.Client.Arch, e.Client.Firmware)
	if !e.Client.UUID.IsZero() {
		client += "  " + e.Client.UUID.String()
	}
	row("client", client)
	if e.Interface == "" {
		row("node", e.Node)
	} else {
		row("node", fmt.Sprintf("%s, at interface %s of this machine", e.Node, e.Interface))
	}
	if e.LookedIn != "" {
		row("files", "looked at in "+e.LookedIn+" of this machine")
	}
	if e.NotLooked != "" {
		row("files", "were not looked at: "+e.NotLooked)
	}
	if e.Health != "" {
		row("health", e.Health)
	}
	for _, o := range e.Out {
		if o.File == a.File {
			row("left out", fmt.Sprintf("%s by %s: %s", o.Server, o.By, o.Text))
		}
	}
	for _, s := range e.Decision.Trace {
		name, ok := strings.CutPrefix(s.Subject, "network ")
		if ok && s.OK {
			deliver := string(a.Deliver)
			if a.VIP != "" {
				deliver = boot.DeliverVIP + a.VIP
			}
			row("network", fmt.Sprintf("%s: %s (deliver: %s)", name, s.Why, deliver))
		}
		if name, ok := strings.CutPrefix(s.Subject, "rule "); ok && s.OK {
			row("rule", name+": "+s.Why)
		}
		if name, ok := strings.CutPrefix(s.Subject, "service "); ok {
			row("service", name+": "+s.Why)
		}
	}
	if e.Decision.Reason != boot.Answered {
		row("answer", "none: "+e.Text+" ("+string(e.Decision.Reason)+")")
		e.printTrace(w)
		return
	}
	row("file", a.File)
	for i, srv := range a.Servers {
		name := ""
		if i == 0 {
			name = "servers"
		}
		own := ""
		if srv.Name == e.Node {
			own = "  (this node)"
		}
		row(name, fmt.Sprintf("%d  %-12s %s%s", i+1, srv.Name, protocols(srv), own))
	}
	if a.FailOpen {
		row("", "none of them is known to have the file, so all are named")
	}
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(w, "\n%s\n", title)
		for _, l := range lines {
			wrapped(w, "  ", 30, l)
		}
	}
	if e.Note != "" {
		section("ProxyDHCP", []string{e.Note})
	}
	section("What the DHCP server of this network has to say; Surefoot sends no offer there", e.DHCP)
	if e.Address != "" {
		section("Its address", []string{e.Address})
	}
	section("DHCP offer, from port 67, to a boot ROM's usual question; the ACK says the same", e.DHCPOffer)
	section("ProxyDHCP offer, from port 67", e.Offer)
	section("Answer on port 4011, to clients that ask there", e.BootReply)
	section("The file, in the order of the servers", e.URLs)
	if e.Script != "" {
		fmt.Fprintf(w, "\niPXE script%s\n", prefixed(", ", e.ScriptURL))
		for l := range strings.Lines(e.Script) {
			fmt.Fprintln(w, strings.TrimRight("  "+l, " \n")) // as it is: its lines must not be broken
		}
	}
	e.printTrace(w)
}

// printTrace shows what was not chosen, and why.
func (e explanation) printTrace(w io.Writer) {
	first := true
	for _, s := range e.Decision.Trace {
		if s.OK {
			continue
		}
		if first {
			fmt.Fprintln(w, "\nWhy not the others")
			first = false
		}
		wrapped(w, fmt.Sprintf("  %-24s ", s.Subject), 27, s.Why)
	}
}

func protocols(s boot.Server) string {
	var out []string
	if s.TFTP.IsValid() {
		out = append(out, "tftp "+s.TFTP.String())
	}
	if s.HTTP.IsValid() {
		out = append(out, "http "+s.HTTP.String())
	}
	return strings.Join(out, "  ")
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

const columns = 98

// wrapped prints text behind a head, and what does not fit in 98 columns on further lines,
// indented. It breaks between words only.
func wrapped(w io.Writer, head string, indent int, text string) {
	line := head + text
	for len(line) > columns {
		cut := strings.LastIndexByte(line[:columns], ' ')
		if cut <= len(head) || cut <= indent {
			break
		}
		fmt.Fprintln(w, line[:cut])
		line = strings.Repeat(" ", indent) + line[cut+1:]
	}
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}
