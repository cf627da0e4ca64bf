package health

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// TestSnapshot: who is named, for servers a, b and c of one file, each of which may be down (lower
// case d), drained (D), both (B), lacking the file (l), or well (.).
func TestSnapshot(t *testing.T) {
	for states, want := range map[string]struct {
		named string
		found boot.Reason
	}{
		"...": {"abc", ""},
		"d..": {"bc", ""},
		"D..": {"bc", ""},
		"dD.": {"c", ""},
		"dd.": {"c", ""},
		"dBl": {"", boot.AllServersDown}, // Decide names all of nobody
		"ddd": {"", boot.AllServersDown},
		"DDD": {"abc", boot.DrainYields},
		"dDd": {"b", boot.DrainYields}, // drained, and yet better than the dead
		"DDd": {"ab", boot.DrainYields},
		"lD.": {"c", ""},
		"BBB": {"", boot.AllServersDown},
	} {
		t.Run(states, func(t *testing.T) {
			in := Input{Time: start, States: map[Key]State{}}
			lacking := ""
			for i, r := range states {
				name := string(rune('a' + i))
				if strings.ContainsRune("dB", r) {
					in.States[Key{name, "f", boot.ByTFTP}] = State{Status: Down, Since: start, Reason: boot.ServerDown, Text: "dead"}
				}
				if strings.ContainsRune("DB", r) {
					in.Drains = append(in.Drains, Drain{Server: name, Since: start, Reason: "work"})
				}
				if r == 'l' {
					lacking = name
				}
			}
			in.Groups = []Group{{Rule: "r", File: "f", By: boot.ByTFTP, Servers: []string{"a", "b", "c"}}, {Rule: "again", File: "f", By: boot.ByTFTP, Servers: []string{"a", "b", "c"}}}
			in.Lacks = func(server, _ string) bool { return server == lacking }
			s := Build(in)
			named := ""
			for _, name := range []string{"a", "b", "c"} {
				e, out := s.Why(name, "f", boot.ByTFTP)
				if !out {
					named += name
				} else if e.Reason == "" || e.Text == "" || e.Since.IsZero() {
					t.Errorf("no reason for %s: %+v", name, e)
				}
				if (s.Weight(name, "f", boot.ByTFTP, start) == 0) != out {
					t.Errorf("weight of %s: %d", name, s.Weight(name, "f", boot.ByTFTP, start))
				}
			}
			if named != want.named {
				t.Errorf("named are %q, want %q", named, want.named)
			}
			found := s.Findings()
			if want.found == "" && len(found) > 0 || want.found != "" && (len(found) != 1 || found[0].Reason != want.found || !slices.Equal(found[0].Rules, []string{"r", "again"})) {
				t.Errorf("findings %+v, want %q", found, want.found)
			}
			if len(s.AllDown()) > 0 != (want.found == boot.AllServersDown) {
				t.Errorf("all down: %+v", s.AllDown())
			}
		})
	}
}

// TestDecide: what a Snapshot says reaches an answer, and with everybody dead everybody is named.
func TestDecide(t *testing.T) {
	site := &boot.Site{Servers: map[string]boot.Server{}, Networks: []boot.Network{{Name: "n"}}, Rules: []boot.Rule{{Name: "r", File: "f"}}}
	in := Input{Time: start, States: map[Key]State{}, Groups: []Group{{Rule: "r", File: "f", By: boot.ByTFTP, Servers: []string{"s1", "s2"}}}}
	for i := range 2 {
		name := fmt.Sprintf("s%d", i+1)
		site.Servers[name] = boot.Server{Name: name, TFTP: addr(i + 1)}
		site.Rules[0].From = append(site.Rules[0].From, name)
	}
	answer := func() (string, bool) {
		d := boot.Decide(boot.Client{Firmware: boot.FirmwarePXE}, site, Build(in).Down)
		var names []string
		for _, s := range d.Answer.Servers {
			names = append(names, s.Name)
		}
		return strings.Join(names, " "), d.Answer.FailOpen
	}
	expect := func(want string, open bool) {
		t.Helper()
		if got, is := answer(); got != want || is != open {
			t.Errorf("named are %q (fail open %v), want %q (%v)", got, is, want, open)
		}
	}
	expect("s1 s2", false)
	in.States[Key{"s1", "f", boot.ByTFTP}] = State{Status: Down, Since: start}
	expect("s2", false)
	in.Drains = []Drain{{Server: "s2", Since: start, Until: start.Add(time.Hour)}}
	expect("s2", false)
	in.States[Key{"s2", "f", boot.ByTFTP}] = State{Status: Down, Since: start}
	expect("s1 s2", true)
	delete(in.States, Key{"s1", "f", boot.ByTFTP})
	in.States[Key{"s2", "f", boot.ByTFTP}] = State{Status: Up, Since: start}
	expect("s1", false)
	in.Time = start.Add(time.Hour) // the drain is over
	expect("s1 s2", false)
}

// TestProtocols: what is known of a server by one protocol says nothing of the other; a finding tells
// by which, once for both.
func TestProtocols(t *testing.T) {
	dead := State{Status: Down, Since: start, Reason: boot.ServerDown, Text: "dead"}
	in := Input{Time: start, States: map[Key]State{{"a", "f", boot.ByHTTP}: dead}, Groups: []Group{
		{Rule: "r", File: "f", By: boot.ByTFTP, Servers: []string{"a", "b"}},
		{Rule: "r", File: "f", By: boot.ByHTTP, Servers: []string{"a", "b"}},
	}}
	s := Build(in)
	if s.Down("a", "f", boot.ByTFTP) || !s.Down("a", "f", boot.ByHTTP) || s.Weight("a", "f", boot.ByTFTP, start) != 100 || len(s.Out()) != 1 || s.Out()[0].By != boot.ByHTTP || len(s.Findings()) != 0 {
		t.Errorf("a dead HTTP: %+v, %+v", s.Out(), s.Findings())
	}
	in.Drains = []Drain{{Server: "b", Since: start}} // b yields where it is the last one, and only there
	if s = Build(in); s.Down("b", "f", boot.ByHTTP) || !s.Down("b", "f", boot.ByTFTP) || len(s.Findings()) != 1 || !strings.Contains(s.Findings()[0].Text, "by HTTP:") {
		t.Errorf("a drain: %+v, %+v", s.Out(), s.Findings())
	}
	in.Drains = nil
	in.States[Key{"b", "f", boot.ByHTTP}] = dead
	if s = Build(in); len(s.AllDown()) != 1 || !strings.Contains(s.Findings()[0].Text, "looks dead by HTTP:") {
		t.Errorf("HTTP is dead everywhere: %+v", s.Findings())
	}
	in.States[Key{"a", "f", boot.ByTFTP}], in.States[Key{"b", "f", boot.ByTFTP}] = dead, dead
	if s = Build(in); len(s.AllDown()) != 1 || !strings.Contains(s.Findings()[0].Text, "looks dead by TFTP and HTTP:") || !slices.Equal(s.Findings()[0].By, boot.Protocols()) {
		t.Errorf("all is dead: %+v", s.Findings())
	}
}

func TestNothingKnown(t *testing.T) {
	var s *Snapshot
	if s.Down("a", "f", boot.ByTFTP) || s.Weight("a", "f", boot.ByTFTP, start) != 100 || s.Findings() != nil || !s.Time().IsZero() {
		t.Error("nothing is known, and something is said")
	}
	if _, ok := s.Drained("a"); ok {
		t.Error("nobody is drained")
	}
	if s = Build(Input{Time: start}); !s.Time().Equal(start) || s.Down("a", "f", boot.ByTFTP) {
		t.Error("an empty snapshot says something")
	}
}

func addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 69)
}
