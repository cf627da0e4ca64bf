package watch

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"surefoot/internal/kernel/link"
	"surefoot/internal/probe"
)

// Diagnosed is one run with everything about it.
type Diagnosed struct {
	Time  time.Time    `json:"time"`
	Probe probe.Result `json:"probe"` // with its trace and the timing of its blocks
	Route *link.Route  `json:"route,omitempty"`
	Words []string     `json:"words"` // the same for people
}

// diagnose adds the facts of name and route to a result, and says it in words.
func diagnose(t probe.Target, res *probe.Result, now time.Time) *Diagnosed {
	d := &Diagnosed{Time: now, Probe: *res}
	var noRoute error
	if server, err := netip.ParseAddrPort(res.Server); err == nil {
		if r, err := link.RouteTo(server.Addr()); err == nil {
			d.Route = &r
		} else {
			noRoute = err
		}
	}
	d.say(t)
	if noRoute != nil {
		d.Words = append(d.Words, "route: "+noRoute.Error())
	}
	return d
}

// say writes the words.
func (d *Diagnosed) say(t probe.Target) {
	add := func(format string, args ...any) { d.Words = append(d.Words, fmt.Sprintf(format, args...)) }
	r := &d.Probe
	if f := r.Fault; f != nil {
		add("failed at the step %s (%s): %s", f.Step, f.Code, f.Text)
		for _, h := range f.Hint {
			add("look: %s", h)
		}
	} else {
		add("delivered: %d bytes in %s, the first after %s, as %s", r.Size, ms(r.Response), ms(r.FirstBlock), r.As)
	}
	if r.Asked != "" || r.Granted != "" {
		add("options: asked %s, granted %s", orNone(r.Asked), orNone(r.Granted))
	}
	if r.Retransmits > 0 || r.Duplicates > 0 {
		add("repeated: %d packets by us, %d blocks came twice or out of turn", r.Retransmits, r.Duplicates)
	}
	if r.Timing != nil {
		add("blocks: %s; the longest wait %s", histogram(r.Timing), ms(r.Timing.Most))
	}
	if r.Resolve > 0 {
		add("name: %s is %s, looked up in %s", t.Host, hostOf(r.Server), ms(r.Resolve))
	}
	if d.Route != nil {
		add("route: %s", d.Route)
	}
	if r.DataFrom != "" && hostOf(r.DataFrom) != hostOf(r.Server) {
		add("data came from %s, not from the address that was asked", r.DataFrom)
	}
}

// histogram writes how many blocks were waited for how long, without the empty buckets.
func histogram(t *probe.Timing) string {
	var out []string
	for i, n := range t.Counts {
		switch {
		case n == 0:
		case t.Limit(i) == 0:
			out = append(out, fmt.Sprintf("%d after %s and more", n, ms(t.Limit(i-1))))
		default:
			out = append(out, fmt.Sprintf("%d within %s", n, ms(t.Limit(i))))
		}
	}
	return strings.Join(out, ", ")
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond)) }

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func hostOf(addrPort string) string {
	if a, err := netip.ParseAddrPort(addrPort); err == nil {
		return a.Addr().String()
	}
	return addrPort
}
