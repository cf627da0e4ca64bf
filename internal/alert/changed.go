package alert

import (
	"fmt"
	"slices"
	"time"

	"surefoot/internal/store"
)

// standing is how the monitor last saw a server.
type standing struct {
	state string
	last  store.Change
}

// Down is the state that makes a server unusable; what others there are is the monitor's business.
const Down = "down"

// down reports whether what a test is about is down.
func (m *Machine) down(s subject) bool {
	for _, by := range []string{"", usual, "http"} {
		st := m.servers[s.file][server{s.server, s.file, by}]
		if st != nil && st.state == Down && (st.last.Test == "" || st.last.Test == s.test) {
			return true
		}
	}
	return false
}

// Changed takes a change of state. A monitor that starts tells each server's first state as one.
func (m *Machine) Changed(now time.Time, c store.Change) {
	s := server{c.Server, c.File, c.By}
	if m.servers[c.File] == nil {
		m.servers[c.File] = map[server]*standing{}
	}
	m.servers[c.File][s] = &standing{c.To, c}
	m.downs(now, s, c)
	m.all(now, s)
	if c.From == Down || c.To == Down {
		m.flaps[s] = append(m.flaps[s], c)
	}
	m.flap(now, s)
	m.compare(now, c.File)
}

func (m *Machine) downs(now time.Time, s server, c store.Change) {
	labels := s.labels()
	if c.To != Down {
		m.clear(now, ServerDown, labels...)
		return
	}
	evidence := []string{fmt.Sprintf("%s → %s at %s", orWord(c.From, "unknown"), c.To, c.At.Format(time.RFC3339))}
	if c.Cause != "" && c.Cause != string(ServerDown) {
		evidence = append(evidence, "cause: "+c.Cause)
	}
	if c.Text != "" {
		evidence = append(evidence, c.Text)
	}
	show := "surefoot watch show"
	if c.Test != "" {
		show += " " + c.Test + " --trace"
	}
	m.find(now, finding{
		code: ServerDown, severity: Critical, labels: labels, after: m.rules.DownAfter,
		title: fmt.Sprintf("%s does not deliver %s%s", s.name, orWord(s.file, "its file"), s.word()), evidence: evidence,
		meaning: "new answers leave it out; machines go to the other servers of the rule",
		fix:     show + " shows the last download step by step; docs/troubleshoot.md explains the cause",
	})
}

// all looks whether every server of a file is down, by the protocol of one of them.
func (m *Machine) all(now time.Time, one server) {
	labels := server{file: one.file, by: one.by}.labels()
	var lines []string
	for s, st := range m.servers[one.file] {
		if s.by != one.by {
			continue
		}
		if st.state != Down {
			m.clear(now, AllDown, labels...)
			return
		}
		lines = append(lines, fmt.Sprintf("%s: %s %s", s.name, orWord(st.last.Cause, Down), st.last.Text))
	}
	slices.Sort(lines)
	m.find(now, finding{
		code: AllDown, severity: Critical, labels: labels, after: m.rules.DownAfter,
		title: fmt.Sprintf("no server delivers %s%s", orWord(one.file, "the file"), one.word()), evidence: lines,
		meaning: "machines are told all servers, as if the monitor were wrong (fail open): if it is not, no machine starts",
		fix:     "what do they share: the network between them and this node, a switch, the file itself? surefoot probe from another machine tells which side it is",
	})
}

// flap looks how often a server changed lately.
func (m *Machine) flap(now time.Time, s server) {
	m.flaps[s] = slices.DeleteFunc(m.flaps[s], func(c store.Change) bool { return now.Sub(c.At) > m.rules.FlapWithin })
	labels := s.labels()
	n := len(m.flaps[s])
	if n < m.rules.FlapChanges {
		m.clear(now, Flapping, labels...)
		if n == 0 {
			delete(m.flaps, s)
		}
		return
	}
	var lines []string
	for _, c := range m.flaps[s][n-min(n, 8):] {
		lines = append(lines, fmt.Sprintf("%s %s → %s %s", c.At.Format(time.TimeOnly), orWord(c.From, "unknown"), c.To, c.Cause))
	}
	m.find(now, finding{
		code: Flapping, severity: Warning, labels: labels,
		title:    fmt.Sprintf("%s goes up and down%s: %d changes within %s", s.name, s.word(), n, round(m.rules.FlapWithin)),
		evidence: lines,
		meaning:  "each change moves machines from one server to the other; something fails now and then, not always",
		fix:      "drain it until the cause is found: surefoot server drain " + s.name + "; a cable, a flapping link or a limit of transfers is what it usually is",
	})
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}
