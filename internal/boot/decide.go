package boot

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Down tells of a server that is known not to hand out a file by a protocol at present. A nil Down
// means that nothing is known, and every server counts as up.
type Down func(server, file string, by Protocol) bool

// Answer is what a client is to be told, before it is written in any encoding.
type Answer struct {
	Network  string    `json:"network"`
	Deliver  Delivery  `json:"deliver"`
	VIP      string    `json:"vip,omitempty"` // the service address that is named instead of the servers behind it
	BIOS     BIOSStyle `json:"bios,omitempty"`
	Rule     string    `json:"rule"`
	File     string    `json:"file"`
	Servers  []Server  `json:"servers"`             // in the order in which to try them; never empty
	Nodes    []Server  `json:"nodes,omitempty"`     // who can be asked on port 4011, in order: this node first
	Script   bool      `json:"script,omitempty"`    // the client runs the generated iPXE script
	FailOpen bool      `json:"fail_open,omitempty"` // every server looks dead, so all are named
	Contains string    `json:"contains,omitempty"`
	SHA256   string    `json:"sha256,omitempty"`
}

// Step is one line of a decision's trace.
type Step struct {
	Subject string `json:"subject"` // "network vdi", "rule pvs-bios", "server pvs1"
	OK      bool   `json:"ok"`
	Why     string `json:"why"`
}

// Decision is an Answer with the reason for it and the way to it. Answer is meaningful only if
// Reason is Answered.
type Decision struct {
	Answer Answer `json:"answer"`
	Reason Reason `json:"reason"`
	Trace  []Step `json:"trace"`
}

// work is a decision under way. Without tracing nothing is put into words, so that a server that
// decides some hundred thousand times a second can.
type work struct {
	c     Client
	s     *Site
	d     *Decision
	trace bool
	six   bool // it boots over IPv6
}

// step adds a line to the trace. Callers ask for trace first: making the arguments costs more than
// the decision.
func (w *work) step(ok bool, subject, format string, args ...any) {
	w.d.Trace = append(w.d.Trace, Step{Subject: subject, OK: ok, Why: fmt.Sprintf(format, args...)})
}

// Decide chooses the file and the servers for a client. Beside Chooser, which is the same without
// the words, it is the only function that does.
func Decide(c Client, s *Site, down Down) Decision {
	var d Decision
	w := work{c: c, s: s, d: &d, trace: true}
	w.decide(bootNodes(s), down)
	return d
}

func (w *work) decide(nodes []Server, down Down) {
	d := w.d
	w.six = w.c.Over6()
	n := w.s.locate(w.c)
	if n == nil {
		if w.trace {
			w.step(false, "network", "%s is in the subnet of no network", describeAddr(w.c))
		}
		d.Reason = NoNetwork
		return
	}
	if w.trace {
		w.step(true, "network "+n.Name, "%s", describeNetwork(*n, w.c))
	}
	d.Answer.Network, d.Answer.Deliver, d.Answer.BIOS = n.Name, n.Deliver, n.BIOS
	if n.Deliver == DeliverNone && !w.six { // it says how IPv4 clients hear of their bootstrap
		d.Reason = NetworkSilent
		return
	}
	rule := w.chooseRule(n)
	if rule == nil {
		d.Reason = NoRule
		return
	}
	d.Answer.Rule, d.Answer.Contains, d.Answer.SHA256 = rule.Name, rule.Contains, rule.SHA256
	var ok bool
	if d.Answer.File, ok = fileFor(rule, w.c); !ok {
		d.Reason = NoTestBootstrap
		return
	}
	d.Answer.Script = w.wantsScript(rule)
	d.Answer.Nodes = nodes
	if n.VIP == "" || !w.chooseService(rule, n.VIP, down) {
		w.chooseServers(rule, down)
	}
}

// chooseRule finds the reservation's rule or the first that matches, and says of each why not.
func (w *work) chooseRule(n *Network) *Rule {
	if r, ok := n.Reservations[w.c.MAC]; ok && r.Rule != "" {
		i := slices.IndexFunc(w.s.Rules, func(x Rule) bool { return x.Name == r.Rule })
		if i >= 0 && !loops(&w.s.Rules[i], w.c) {
			if w.trace {
				w.step(true, "rule "+r.Rule, "the reservation of %s (%s) names it", w.c.MAC, r.Name)
			}
			return &w.s.Rules[i]
		}
		if i >= 0 && w.trace {
			w.step(false, "rule "+r.Rule, "the reservation names it, but %s", loopText(&w.s.Rules[i]))
		}
	}
	if !w.trace {
		for i := range w.s.Rules {
			if r := &w.s.Rules[i]; r.When.holds(w.c, n.Name) && !loops(r, w.c) {
				return r
			}
		}
		return nil
	}
	var found *Rule
	for i := range w.s.Rules {
		r := &w.s.Rules[i]
		subject := "rule " + r.Name
		why, ok := r.When.matches(w.c, n.Name)
		switch {
		case found != nil && ok:
			w.step(false, subject, "would match (%s), but %s comes first", why, found.Name)
		case !ok:
			w.step(false, subject, "%s", why)
		case loops(r, w.c):
			w.step(false, subject, "%s", loopText(r))
		default:
			w.step(true, subject, "%s", why)
			found = r
		}
	}
	return found
}

// loops reports whether the rule would hand iPXE to a client that is iPXE already.
func loops(r *Rule, c Client) bool { return c.Firmware == FirmwareIPXE && isIPXEBinary(r.File) }

func loopText(r *Rule) string {
	return fmt.Sprintf("the client is iPXE already: %s would start it again, for ever", r.File)
}

// fileFor turns the rule's file into the name that this client asks a server for.
func fileFor(r *Rule, c Client) (string, bool) {
	if r.File != TestBootstrap {
		return r.File, true
	}
	switch c.Arch.Class() {
	case ClassBIOS:
		return TestBootstrapBIOS, true
	case ClassUEFIx64:
		return TestBootstrapX64, true
	}
	return "", false
}

// wantsScript reports whether this client is told a script's URL rather than the file. It needs
// an iPXE with HTTP and a node that makes the script.
func (w *work) wantsScript(r *Rule) bool {
	c, self := &w.c, w.over(w.s.Servers[w.s.Self])
	return c.Firmware == FirmwareIPXE && r.IPXE != IPXEFile &&
		(c.IPXE.HTTP || !c.IPXE.Known) && self.HTTP.IsValid() &&
		!strings.Contains(r.File, "://")
}

// bootNodes returns the nodes that answer on port 4011: this one first, the others by name.
func bootNodes(s *Site) []Server {
	var out []Server
	for _, name := range slices.Sorted(maps.Keys(s.Servers)) {
		if srv := s.Servers[name]; srv.PXE.IsValid() {
			out = append(out, srv)
		}
	}
	toFront(out, s.Self)
	return out
}

// chooseServers fills in the servers in order: those that speak the client's protocol, ourselves
// first (we are alive: we are answering), without those known to be down; all of them if every
// one is down, since a monitor's mistake must not stop a site.
func (w *work) chooseServers(r *Rule, down Down) {
	d := w.d
	able := d.Answer.Servers[:0]
	for _, name := range r.From {
		srv, ok := w.s.Servers[name]
		srv = w.over(srv)
		why := ""
		switch {
		case !ok:
			why = "not in the site file"
		case w.c.Firmware == FirmwareUEFIHTTP && !srv.HTTP.IsValid():
			why = "has no HTTP, which this client needs"
		case w.c.Firmware != FirmwareUEFIHTTP && !d.Answer.Script && !srv.TFTP.IsValid():
			why = "has no TFTP, which this client needs"
		case !srv.Node && r.File == TestBootstrap:
			why = "is not a node: it has no test bootstrap"
		default:
			able = append(able, srv)
		}
		if why != "" && w.trace {
			if w.six && strings.HasPrefix(why, "has no") {
				why += " over IPv6"
			}
			w.step(false, "server "+name, "%s", why)
		}
	}
	d.Answer.Servers = nil
	if len(able) == 0 {
		d.Reason = NoServer
		return
	}
	toFront(able, w.s.Self)
	up := able[:0] // in place: nothing is overwritten before one was found alive
	for _, srv := range able {
		if s, ok := w.living(srv, down); ok {
			up = append(up, s)
		}
	}
	if len(up) == 0 {
		up, d.Answer.FailOpen = able, true
		if w.trace {
			w.step(true, "servers", "every one looks dead, so all are named: a monitor's mistake must not stop a site")
		}
	}
	d.Answer.Servers = up
	for i := 0; w.trace && i < len(up); i++ {
		why := "as listed"
		if up[i].Name == w.s.Self && i == 0 {
			why = "this node itself, which is alive"
		}
		w.step(true, "server "+up[i].Name, "number %d, %s", i+1, why)
	}
	d.Reason = Answered
}

// toFront moves this node before all others, which keep their order.
func toFront(list []Server, self string) {
	i := slices.IndexFunc(list, func(s Server) bool { return s.Name == self })
	for ; i > 0; i-- {
		list[i], list[i-1] = list[i-1], list[i]
	}
}
