package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"surefoot/internal/probe"
)

// codeOf is the exit code of an error of this machine.
func codeOf(err error) int {
	if errors.Is(err, fs.ErrPermission) {
		return ExitNotPermitted
	}
	return ExitFailed
}

// printKind prints what dhcp, pxe or dns showed.
func printKind(w io.Writer, res probe.Result) {
	row := func(name, format string, args ...any) {
		wrapped(w, fmt.Sprintf("%-17s ", name), 18, fmt.Sprintf(format, args...))
	}
	head := res.Target
	if res.As != "" {
		head += "  as " + string(res.As)
	}
	fmt.Fprintf(w, "%s\n\n", head)
	if f := res.Fault; f != nil {
		row("failed at", "%s (%s)", f.Step, f.Code)
		row("because", "%s", f.Text)
		for _, h := range f.Hint {
			row("hint", "%s", h)
		}
	} else {
		row("response time", "%s", millis(res.Response))
	}
	for i, o := range res.Offers {
		fmt.Fprintln(w)
		printOffer(row, res.Kind, i+1, o)
	}
	if res.Choice != "" {
		fmt.Fprintln(w)
		row("UEFI firmware", "%s", takes(res))
	}
	if len(res.Records) > 0 {
		fmt.Fprintln(w)
	}
	for _, r := range res.Records {
		row(r.Type, "%s  kept for %s", r.Value, ttl(r.TTL))
	}
	if res.Server != "" {
		row("server", "%s%s", res.Server, named(res))
	}
	for _, n := range res.Notes {
		row("note", "%s", n)
	}
}

func ttl(seconds uint32) string { return (time.Duration(seconds) * time.Second).String() }

// named is the name that a DNS server gives itself, where several are behind one address.
func named(res probe.Result) string {
	if res.Kind != probe.KindDNS || res.DataFrom == "" {
		return ""
	}
	return ", which calls itself " + res.DataFrom
}

func printOffer(row func(name, format string, args ...any), kind probe.Kind, n int, o probe.Offer) {
	name := fmt.Sprintf("offer %d", n)
	if kind == probe.KindPXE {
		name = "reply"
	}
	where := "from " + o.Server
	if o.From != o.Server {
		where += ", sent by " + o.From
	}
	if o.MAC != "" {
		where += ", MAC " + o.MAC
	}
	where += fmt.Sprintf(", after %s", millis(time.Duration(o.After)))
	if o.DUID != "" {
		where += ", DUID " + o.DUID
	}
	if o.Asked != "" {
		where += ", to the " + o.Asked
	}
	if o.Flags != "" {
		where += ", to flags " + o.Flags
	}
	if o.Again > 0 {
		where += fmt.Sprintf(", and %s more", times(o.Again))
	}
	row(name, "%s", where)
	if kind == probe.KindDHCP {
		row("  class", "%s: %s", o.Class, o.Class.Text())
	}
	if kind == probe.KindDHCP6 && o.Address == "" && o.File == "" {
		row("  offers", "nothing")
	}
	if kind == probe.KindDHCP6 { // its options say it all
		o.Address, o.File = "", ""
	}
	for _, f := range []struct{ name, value string }{
		{"  address", o.Address}, {"  relayed by", o.Relay}, {"  next server", o.Next}, {"  sname", o.SName}, {"  file", o.File},
	} {
		if f.value != "" {
			row(f.name, "%s", f.value)
		}
	}
	for _, opt := range o.Options {
		row(fmt.Sprintf("  option %d", opt.Code), "%s: %s", opt.Name, opt.Text)
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// takes says which offers UEFI firmware takes, and why.
func takes(res probe.Result) string {
	var out []string
	for i, o := range res.Offers {
		switch o.Takes {
		case "both":
			out = append(out, fmt.Sprintf("takes address and boot from offer %d", i+1))
		case "":
		default:
			out = append(out, fmt.Sprintf("takes the %s from offer %d", o.Takes, i+1))
		}
	}
	return strings.Join(append(out, res.Choice), "; ")
}
