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

func (d *Decision) step(ok bool, subject, format string, args ...any) {
	d.Trace = append(d.Trace, Step{Subject: subject, OK: ok, Why: fmt.Sprintf(format, args...)})
}

// Decide chooses the file and the servers for a client. It is the only function that does.
func Decide(c Client, s *Site, down Down) Decision {
	var d Decision
	n, ok := s.Locate(c)
	if !ok {
		d.step(false, "network", "%s is in the subnet of no network", describeAddr(c))
		d.Reason = NoNetwork
		return d
	}
	d.step(true, "network "+n.Name, "%s", describeNetwork(n, c))
	d.Answer.Network, d.Answer.Deliver, d.Answer.BIOS = n.Name, n.Deliver, n.BIOS
	if n.Deliver == DeliverNone {
		d.Reason = NetworkSilent
		return d
	}
	rule, ok := d.chooseRule(c, s, n)
	if !ok {
		d.Reason = NoRule
		return d
	}
	d.Answer.Rule, d.Answer.Contains, d.Answer.SHA256 = rule.Name, rule.Contains, rule.SHA256
	if d.Answer.File, ok = fileFor(rule, c); !ok {
		d.Reason = NoTestBootstrap
		return d
	}
	d.Answer.Script = wantsScript(c, rule, s)
	d.Answer.Nodes = bootNodes(s)
	d.chooseServers(c, s, rule, down)
	return d
}

// chooseRule finds the reservation's rule or the first that matches, and says of each why not.
func (d *Decision) chooseRule(c Client, s *Site, n Network) (Rule, bool) {
	if r, ok := n.Reservations[c.MAC]; ok && r.Rule != "" {
		i := slices.IndexFunc(s.Rules, func(x Rule) bool { return x.Name == r.Rule })
		if i >= 0 && !loops(s.Rules[i], c) {
			d.step(true, "rule "+r.Rule, "the reservation of %s (%s) names it", c.MAC, r.Name)
			return s.Rules[i], true
		}
		if i >= 0 {
			d.step(false, "rule "+r.Rule, "the reservation names it, but %s", loopText(s.Rules[i]))
		}
	}
	found := -1
	for i, r := range s.Rules {
		subject := "rule " + r.Name
		why, ok := r.When.matches(c, n.Name)
		switch {
		case found >= 0 && ok:
			d.step(false, subject, "would match (%s), but %s comes first", why, s.Rules[found].Name)
		case !ok:
			d.step(false, subject, "%s", why)
		case loops(r, c):
			d.step(false, subject, "%s", loopText(r))
		default:
			d.step(true, subject, "%s", why)
			found = i
		}
	}
	if found < 0 {
		return Rule{}, false
	}
	return s.Rules[found], true
}

// loops reports whether the rule would hand iPXE to a client that is iPXE already.
func loops(r Rule, c Client) bool { return c.Firmware == FirmwareIPXE && isIPXEBinary(r.File) }

func loopText(r Rule) string {
	return fmt.Sprintf("the client is iPXE already: %s would start it again, for ever", r.File)
}

// fileFor turns the rule's file into the name that this client asks a server for.
func fileFor(r Rule, c Client) (string, bool) {
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
func wantsScript(c Client, r Rule, s *Site) bool {
	return c.Firmware == FirmwareIPXE && r.IPXE != IPXEFile &&
		(c.IPXE.HTTP || !c.IPXE.Known) && s.Servers[s.Self].HTTP.IsValid() &&
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
	slices.SortStableFunc(out, func(a, b Server) int { return selfFirst(s, a, b) })
	return out
}

// selfFirst orders this node before all others, which keep their order.
func selfFirst(s *Site, a, b Server) int {
	switch {
	case a.Name == s.Self && b.Name != s.Self:
		return -1
	case b.Name == s.Self && a.Name != s.Self:
		return 1
	}
	return 0
}

// chooseServers fills in the servers in order: those that speak the client's protocol, ourselves
// first (we are alive: we are answering), without those known to be down; all of them if every
// one is down, since a monitor's mistake must not stop a site.
func (d *Decision) chooseServers(c Client, s *Site, r Rule, down Down) {
	var able []Server
	for _, name := range r.From {
		srv, ok := s.Servers[name]
		switch {
		case !ok:
			d.step(false, "server "+name, "not in the site file")
		case c.Firmware == FirmwareUEFIHTTP && !srv.HTTP.IsValid():
			d.step(false, "server "+name, "has no HTTP, which this client needs")
		case c.Firmware != FirmwareUEFIHTTP && !d.Answer.Script && !srv.TFTP.IsValid():
			d.step(false, "server "+name, "has no TFTP, which this client needs")
		case !srv.Node && r.File == TestBootstrap:
			d.step(false, "server "+name, "is not a node: it has no test bootstrap")
		default:
			able = append(able, srv)
		}
	}
	if len(able) == 0 {
		d.Reason = NoServer
		return
	}
	slices.SortStableFunc(able, func(a, b Server) int { return selfFirst(s, a, b) })
	for _, srv := range able {
		if s, ok := d.living(c, srv, down); ok {
			d.Answer.Servers = append(d.Answer.Servers, s)
		}
	}
	if len(d.Answer.Servers) == 0 {
		d.Answer.Servers, d.Answer.FailOpen = able, true
		d.step(true, "servers", "every one looks dead, so all are named: a monitor's mistake must not stop a site")
	}
	for i, srv := range d.Answer.Servers {
		why := "as listed"
		if srv.Name == s.Self && i == 0 {
			why = "this node itself, which is alive"
		}
		d.step(true, "server "+srv.Name, "number %d, %s", i+1, why)
	}
	d.Reason = Answered
}
