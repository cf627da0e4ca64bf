package boot

import (
	"fmt"
	"slices"
)

// chooseService names the network's service address instead of the rule's servers, if some of these stand behind it:
// which of them is up is then the business of whoever moves or balances the address. False: the rule's own servers
// have to be named, and the trace says why.
func (w *work) chooseService(r *Rule, name string, down Down) bool {
	subject := ""
	if w.trace {
		subject = "service " + name
	}
	v, ok := w.s.VIPs[name]
	srv := w.over(v.Server)
	behind, alive := 0, 0
	for _, from := range r.From {
		s, known := w.s.Servers[from]
		if !known || !slices.Contains(v.Behind, from) {
			continue
		}
		behind++
		if _, up := w.living(w.over(s), down); up {
			alive++
		}
	}
	why := ""
	switch {
	case !ok:
		why = "not in the site file"
	case behind == 0:
		why = "none of the rule's servers stands behind it"
	case w.c.Firmware == FirmwareUEFIHTTP && !srv.HTTP.IsValid():
		why = "has no HTTP, which this client needs"
	case w.c.Firmware != FirmwareUEFIHTTP && !w.d.Answer.Script && !srv.TFTP.IsValid(), w.d.Answer.Script && !srv.TFTP.IsValid() && !srv.HTTP.IsValid():
		why = "has no TFTP, which this client needs"
	case r.File == TestBootstrap && !srv.Node:
		why = "is not an address of nodes: it has no test bootstrap"
	}
	if why != "" {
		if w.trace {
			w.step(false, subject, "%s; so the rule's own servers are named", why)
		}
		return false
	}
	w.d.Answer.Servers = append(w.d.Answer.Servers[:0], srv)
	w.d.Answer.VIP, w.d.Answer.FailOpen, w.d.Reason = name, alive == 0, Answered
	if w.trace {
		text := fmt.Sprintf("%d of the rule's servers stand behind it, %d of them deliver", behind, alive)
		if alive == 0 {
			text += ": every one looks dead, so it is named all the same: a monitor's mistake must not stop a site"
		}
		w.step(true, subject, "%s", text)
	}
	return true
}
