package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/lab"
)

// story is what `surefoot story MAC --json` tells, as far as scenarios look at it.
type story struct {
	Node     string       `json:"node"`
	MAC      boot.MAC     `json:"mac"`
	Network  string       `json:"network"`
	Rule     string       `json:"rule"`
	File     string       `json:"file"`
	Server   string       `json:"server"`
	State    string       `json:"state"`
	Reason   boot.Reason  `json:"reason"`
	Where    string       `json:"where"`
	Firmware string       `json:"firmware"`
	Steps    []boot.Event `json:"steps"`
}

// kinds lists the steps in order, each kind once in a row.
func (s story) kinds() string {
	var out []string
	for _, e := range s.Steps {
		if n := len(out); n == 0 || out[n-1] != string(e.Kind) {
			out = append(out, string(e.Kind))
		}
	}
	return strings.Join(out, " ")
}

// has reports whether some step is of this kind and reason ("" is any).
func (s story) has(k boot.Kind, r boot.Reason) bool {
	return slices.ContainsFunc(s.Steps, func(e boot.Event) bool { return e.Kind == k && (r == "" || e.Reason == r) })
}

// stories asks a node for the stories of a machine, the newest first.
func (s *stage) stories(node string, mac boot.MAC) []story {
	s.t.Helper()
	n := s.Node(node)
	out, errs, code := s.run("story", mac.String(), "--json", "--socket", n.Socket)
	if code != 0 {
		s.t.Fatalf("surefoot story %s of node %s: exit code %d: %s", mac, node, code, errs)
	}
	var doc struct {
		Stories []story `json:"stories"`
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		s.t.Fatalf("surefoot story: %v\n%s", err, out)
	}
	return doc.Stories
}

// story asks a node for the newest story of a machine, which must have one.
func (s *stage) story(node string, mac boot.MAC) story {
	s.t.Helper()
	all := s.stories(node, mac)
	if len(all) == 0 {
		s.t.Fatalf("node %s has no story of %s", node, mac)
	}
	return all[0]
}

// delivered fails the test unless the node's story of a machine says that it got its bootstrap,
// by these kinds of steps among others.
func (s *stage) delivered(node string, mac boot.MAC, kinds ...boot.Kind) story {
	s.t.Helper()
	st := s.story(node, mac)
	if st.State != "done" || st.Reason != boot.Done {
		s.t.Errorf("the story of node %s: state %q, reason %q, want done: %s (%s)", node, st.State, st.Reason, st.Where, st.kinds())
	}
	for _, k := range kinds {
		if !st.has(k, "") {
			s.t.Errorf("the story of node %s has no step %s: %s", node, k, st.kinds())
		}
	}
	if st.MAC != mac {
		s.t.Errorf("the story of node %s is of %s, want %s", node, st.MAC, mac)
	}
	return st
}

// from fails the test unless the report says that this node delivered.
func from(t *testing.T, r lab.Report, node, addr string) {
	t.Helper()
	if r.Fields["node"] != node {
		t.Errorf("delivered by node %q, want %s: %s", r.Fields["node"], node, r.Line)
	}
	if got := r.Fields["server"]; got != addr {
		t.Errorf("the machine was told server %q, want %s: %s", got, addr, r.Line)
	}
	if r.Fields["sum"] != "ok" {
		t.Errorf("the bootstrap did not arrive whole: %s", r.Line)
	}
}
