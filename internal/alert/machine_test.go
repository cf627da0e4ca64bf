package alert

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"surefoot/internal/store"
)

// world is a machine with a clock.
type world struct {
	*testing.T
	*Machine
	at time.Time
}

func begin(t *testing.T, r Rules) *world {
	return &world{t, New(r), time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)}
}

// wait lets time pass, a second at a time, and returns what is told, as "key state".
func (w *world) wait(d time.Duration) (out []string) {
	for end := w.at.Add(d); ; w.at = w.at.Add(time.Second) {
		for _, n := range w.Tick(w.at) {
			line := n.Alert.Key + " " + string(n.Alert.State)
			if n.Repeated {
				line += " still"
			}
			out = append(out, line)
			if n.Alert.Title == "" || len(n.Alert.Evidence) == 0 || n.Alert.Meaning == "" || n.Alert.Fix == "" || n.Alert.Labels["code"] != string(n.Alert.Code) {
				w.Errorf("something is missing: %+v", n.Alert)
			}
		}
		if !w.at.Before(end) {
			return out
		}
	}
}

func (w *world) want(what string, got []string, want ...string) {
	w.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.Errorf("%s: told\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (w *world) change(server, to string) {
	from := map[string]string{"up": "down", "down": "up"}[to]
	w.Changed(w.at, store.Change{Server: server, File: "a.0", At: w.at, From: from, To: to, Cause: "no-answer", Text: "nobody answers"})
}

func (w *world) measure(server string, d time.Duration, content string) {
	w.Measured(w.at, store.Measurement{Test: server, Server: server, File: "a.0", At: w.at, Available: true, Response: d, Bytes: 10, Content: content})
}

const downKey = "server-down file=a.0 server=pvs1"

func TestDown(t *testing.T) {
	w := begin(t, Rules{DownAfter: 10 * time.Second, Repeat: time.Hour})
	w.change("pvs2", "up")
	w.change("pvs1", "down")
	w.want("before it is long enough", w.wait(9*time.Second))
	if a := w.Alerts(); len(a) != 1 || a[0].State != Pending {
		t.Errorf("%+v", a)
	}
	w.change("pvs1", "up")
	w.want("short troubles", w.wait(time.Minute))
	w.change("pvs1", "down")
	w.want("down", w.wait(time.Minute), downKey+" firing")
	w.change("pvs1", "down") // the same once more is the same alert
	w.want("an hour on", w.wait(time.Hour), downKey+" firing still")
	w.change("pvs1", "up")
	w.want("over, but not for long enough", w.wait(30*time.Second))
	w.change("pvs1", "down")
	w.want("down again: never told that it was over", w.wait(2*time.Minute))
	w.change("pvs1", "up")
	w.want("over", w.wait(2*time.Minute), downKey+" resolved")
	if a := w.Alerts(); len(a) != 0 {
		t.Errorf("left over: %+v", a)
	}
}

func TestAllDown(t *testing.T) {
	w := begin(t, Rules{})
	w.change("pvs1", "down")
	w.change("pvs2", "up")
	w.want("one of two", w.wait(time.Minute), downKey+" firing")
	w.change("pvs2", "down")
	w.want("both", w.wait(time.Minute), "all-servers-down file=a.0 firing", "server-down file=a.0 server=pvs2 firing")
	w.change("pvs2", "up")
	w.want("one comes back", w.wait(2*time.Minute), "all-servers-down file=a.0 resolved", "server-down file=a.0 server=pvs2 resolved")
}

// TestProtocols: TFTP and HTTP of a server are two things that can be down, and the content of the one
// that is up counts.
func TestProtocols(t *testing.T) {
	w := begin(t, Rules{ContentAfter: 10 * time.Minute})
	change := func(server, by, to string) {
		w.Changed(w.at, store.Change{Test: by + server, Server: server, File: "a.0", By: by, At: w.at, From: "unknown", To: to, Cause: "no-answer"})
	}
	measure := func(server, by, content string) {
		w.Measured(w.at, store.Measurement{Test: by + server, Server: server, File: "a.0", At: w.at, Available: true, Response: time.Millisecond, Content: content})
	}
	change("pvs1", "tftp", "up")
	change("pvs2", "tftp", "up")
	change("pvs1", "http", "down")
	w.want("HTTP of one", w.wait(time.Minute), "all-servers-down by=http file=a.0 firing", "server-down by=http file=a.0 server=pvs1 firing")
	if title := w.Alerts()[1].Title; title != "pvs1 does not deliver a.0 by HTTP" {
		t.Error(title)
	}
	change("pvs2", "http", "up")
	change("pvs1", "tftp", "down")
	w.want("HTTP of another, and then TFTP", w.wait(2*time.Minute), downKey+" firing", "all-servers-down by=http file=a.0 resolved")
	change("pvs1", "http", "up")
	w.want("HTTP comes back, TFTP does not", w.wait(2*time.Minute), "server-down by=http file=a.0 server=pvs1 resolved")
	measure("pvs1", "tftp", "old")
	measure("pvs1", "http", "new")
	measure("pvs2", "tftp", "new")
	w.want("what its dead TFTP had does not count", w.wait(30*time.Minute))
	change("pvs1", "tftp", "up")
	w.want("both are up, and deliver different content", w.wait(30*time.Minute), downKey+" resolved", "content-differs file=a.0 firing")
}

// TestSlow: slow is slow against what the test itself was, not against a fixed figure; it says the
// figures; and what lasts half a day becomes the new normal.
func TestSlow(t *testing.T) {
	w := begin(t, Rules{})
	const key = "slow file=a.0 server=pvs1 test=pvs1"
	run := func(hours float64, d time.Duration) (out []string) {
		for i := range int(hours * 60) {
			w.measure("pvs1", d+time.Duration(i%5)*time.Millisecond, "")
			out = append(out, w.wait(time.Minute)...)
		}
		return out
	}
	w.want("too few samples: a slow start is no alert", append(run(.5, 20*time.Millisecond), run(.2, 200*time.Millisecond)...))
	w.want("normal", run(6, 20*time.Millisecond))
	w.measure("pvs1", 3*time.Second, "")
	w.want("one slow run is none", run(.1, 20*time.Millisecond))
	w.want("a little slower is none", run(.5, 26*time.Millisecond))
	w.want("slow", run(.5, 90*time.Millisecond), key+" firing")
	a := w.Alerts()
	text := fmt.Sprint(a)
	for _, want := range []string{"92ms", "learned from", "MAD", "slow is above"} {
		if !strings.Contains(text, want) {
			t.Errorf("the evidence lacks %q: %s", want, text)
		}
	}
	w.want("normal again", run(.5, 20*time.Millisecond), key+" resolved")
	w.want("slow for a day: said once, repeated, and then the new normal", run(24, 90*time.Millisecond), key+" firing", key+" firing still", key+" resolved")
}

// TestPrime: what the history knows is known at once.
func TestPrime(t *testing.T) {
	w := begin(t, Rules{})
	var day []time.Duration
	for i := range 288 {
		day = append(day, time.Duration(20+i%3)*time.Millisecond)
	}
	w.Prime("pvs1", "pvs1", "a.0", day)
	for range 10 {
		w.measure("pvs1", 80*time.Millisecond, "")
		w.wait(10 * time.Second)
	}
	w.want("slow", w.wait(2*time.Minute), "slow file=a.0 server=pvs1 test=pvs1 firing")
}

func TestFlapping(t *testing.T) {
	w := begin(t, Rules{DownAfter: time.Hour})
	for range 3 {
		w.want("not yet", w.wait(time.Minute))
		w.change("pvs1", "down")
		w.wait(time.Minute)
		w.change("pvs1", "up")
	}
	w.want("six changes", w.wait(time.Minute), "flapping file=a.0 server=pvs1 firing")
	w.want("quiet for half an hour", w.wait(40*time.Minute), "flapping file=a.0 server=pvs1 resolved")
}

func TestContent(t *testing.T) {
	w := begin(t, Rules{ContentAfter: 2 * time.Minute})
	w.change("pvs1", "up")
	w.measure("pvs1", time.Millisecond, "aaaa")
	w.measure("pvs2", time.Millisecond, "aaaa")
	w.want("the same", w.wait(5*time.Minute))
	w.measure("pvs1", time.Millisecond, "bbbb")
	w.want("changed on one", w.wait(time.Minute), "content-changed file=a.0 server=pvs1 firing")
	w.measure("pvs2", time.Millisecond, "bbbb")
	w.want("and then on the other", w.wait(time.Minute), "content-changed file=a.0 server=pvs2 firing")
	w.measure("pvs2", time.Millisecond, "cccc")
	w.want("different for long", w.wait(3*time.Minute), "content-differs file=a.0 firing")
	w.change("pvs2", "down")
	w.want("one that is down does not count", w.wait(2*time.Minute), "server-down file=a.0 server=pvs2 firing", "content-differs file=a.0 resolved")
	w.want("a change is news for an hour", w.wait(time.Hour), "content-changed file=a.0 server=pvs1 resolved", "content-changed file=a.0 server=pvs2 resolved")
}

// TestContentAcrossRestart: what the process before this one saw counts, whether it is recalled before
// the first download or after; and a content that nobody has seen since is no difference.
func TestContentAcrossRestart(t *testing.T) {
	recall := func(w *world, server, content string) {
		w.Recall(w.at, store.Content{Test: server, Server: server, File: "a.0", SHA256: content})
	}
	const key = "content-changed file=a.0 server=pvs1"
	for name, c := range map[string]struct {
		order string // r: recall aaaa; others: a download of that content
		want  []string
	}{
		"the same":                {"raa", nil},
		"the same, recalled late": {"ara", nil},
		"another":                 {"rbb", []string{key + " firing"}},
		"another, recalled late":  {"brb", []string{key + " firing"}},
		"nothing comes":           {"r", nil},
	} {
		w := begin(t, Rules{})
		for _, x := range c.order {
			if x == 'r' {
				recall(w, "pvs1", "aaaa")
				continue
			}
			w.measure("pvs1", time.Millisecond, strings.Repeat(string(x), 4))
		}
		got := w.wait(time.Minute)
		w.want(name, got, c.want...)
		if len(got) > 0 && !strings.Contains(strings.Join(w.Alerts()[0].Evidence, "\n"), "aaaa, before this node was started anew\nSHA-256 now:    bbbb") {
			t.Errorf("%s: evidence %q", name, w.Alerts()[0].Evidence)
		}
	}
	w := begin(t, Rules{ContentAfter: time.Minute})
	recall(w, "pvs2", "bbbb")
	w.measure("pvs1", time.Millisecond, "aaaa")
	w.want("nobody knows what pvs2 has now", w.wait(time.Hour))
}

func TestDiscovers(t *testing.T) {
	w := begin(t, Rules{})
	dhcp := Offer{From: "10.0.0.2", Address: true}
	rogue := Offer{From: "10.0.0.66", PXE: true, File: "evil.0", MAC: "aa:bb:cc:dd:ee:ff", Text: "no address; the file evil.0"}
	ours := Offer{From: "10.0.0.11", PXE: true, Known: true}
	send := func(offers ...Offer) []string {
		w.Discovered(w.at, Discover{Network: "vdi", Interface: "eth1", Offers: offers})
		return w.wait(time.Minute)
	}
	const nobody, stranger = "nobody-answers interface=eth1 network=vdi", "rogue-pxe from=10.0.0.66 interface=eth1 mac=aa:bb:cc:dd:ee:ff network=vdi"
	w.want("normal", send(dhcp, ours))
	w.want("twice nobody", append(send(), send()...))
	w.want("three times", send(), nobody+" firing")
	w.want("somebody", append(send(dhcp), send(dhcp)...), nobody+" resolved")
	w.want("an offer without an address is none", append(append(send(ours), send(ours)...), send(ours)...), nobody+" firing")
	if e := fmt.Sprint(w.Alerts()[0].Evidence); !strings.Contains(e, "3 probes in a row") || !strings.Contains(e, "10.0.0.11 answers") {
		t.Errorf("evidence: %s", e)
	}
	w.Discovered(w.at, Discover{Network: "other", Interface: "eth2", Offers: []Offer{dhcp}})
	w.want("another segment's answer ends nothing", w.wait(2*time.Minute))
	w.want("somebody again", append(send(dhcp), send(dhcp)...), nobody+" resolved")
	w.want("a stranger", send(dhcp, rogue), stranger+" firing")
	if a := fmt.Sprint(w.Alerts()); !strings.Contains(a, "aa:bb:cc:dd:ee:ff") || !strings.Contains(a, "the file evil.0") {
		t.Errorf("it does not say who, and what: %s", a)
	}
	w.want("one lost packet", append(send(dhcp), send(dhcp, rogue)...))
	w.want("gone", append(send(dhcp), append(send(dhcp), send(dhcp)...)...), stranger+" resolved")
}

// TestUnsure: where silence says nothing, none is told, and what is true stays true until it is known
// not to be.
func TestUnsure(t *testing.T) {
	w := begin(t, Rules{NobodyProbes: 1})
	w.Discovered(w.at, Discover{Network: "vdi", Interface: "eth1", Unsure: true})
	w.want("unsure", w.wait(time.Minute))
	w.Discovered(w.at, Discover{Network: "vdi", Interface: "eth1"})
	w.want("nobody", w.wait(time.Minute), "nobody-answers interface=eth1 network=vdi firing")
	w.ForgetSegments(w.at, func(_, iface string) bool { return iface == "eth2" })
	w.want("another interface goes", w.wait(2*time.Minute))
	w.ForgetSegments(w.at, func(network, iface string) bool { return network == "vdi" && iface == "eth1" })
	w.want("the interface goes", w.wait(2*time.Minute), "nobody-answers interface=eth1 network=vdi resolved")
	if len(w.segments) != 0 {
		t.Errorf("left over: %v", w.segments)
	}
}

func TestDeaf(t *testing.T) {
	w := begin(t, Rules{})
	send := func(lost string) []string {
		w.Discovered(w.at, Discover{
			Network: "vdi", Interface: "eth1", Offers: []Offer{{From: "10.0.0.2", Address: true}}, Lost: lost,
			Text: "only answers to the broadcast address arrive", Hints: []string{"iPXE gets no address", "look at the relay"},
		})
		return w.wait(time.Minute)
	}
	const key = "deaf interface=eth1 lost_flags="
	w.want("twice", append(send("0"), send("0")...))
	w.want("the other way round begins anew", append(send("0x8000"), send("0")...))
	w.want("three in a row", append(send("0"), send("0")...), key+"0 network=vdi firing")
	a := w.Alerts()[0]
	if a.Evidence[0] != "only answers to the broadcast address arrive" || a.Meaning != "iPXE gets no address" || a.Fix != "look at the relay" {
		t.Errorf("%+v", a)
	}
	w.want("both forms", append(send(""), send("")...), key+"0 network=vdi resolved")
}

func TestBoots(t *testing.T) {
	w := begin(t, Rules{})
	for i := range 20 {
		w.Booted(w.at, Boot{Machine: fmt.Sprint("m", i), Failed: i >= 17, Reason: "timeout", Where: "stopped at block 7"})
	}
	w.want("three of twenty", w.wait(time.Second))
	w.Booted(w.at, Boot{Machine: "m3", Failed: true, Reason: "file-missing", Where: "no such file"})
	w.want("four of twenty", w.wait(time.Second), "boots-fail firing")
	if e := strings.Join(w.Alerts()[0].Evidence, "\n"); !strings.Contains(e, "20% fail: [1 × file-missing 3 × timeout]") || !strings.Contains(e, "m3: no such file") {
		t.Errorf("evidence:\n%s", e)
	}
	w.Booted(w.at, Boot{Machine: "m3"}) // it booted after all
	w.want("the last attempt counts", w.wait(2*time.Minute), "boots-fail resolved")
	w.wait(20 * time.Minute)
	for i := range 2 {
		w.Booted(w.at, Boot{Machine: fmt.Sprint("n", i), Failed: true})
	}
	w.want("two failures alone are too few", append(w.wait(20*time.Minute), w.wait(time.Second)...))
}

func TestSilences(t *testing.T) {
	w := begin(t, Rules{Repeat: time.Hour})
	s := store.Silence{ID: "s1", Match: map[string]string{"server": "pvs*", "code": "server-down"}, Since: w.at, Until: w.at.Add(10 * time.Minute)}
	w.SetSilences([]store.Silence{s})
	w.change("other", "up")
	w.change("pvs1", "down")
	w.want("silent", w.wait(9*time.Minute))
	if a := w.Alerts(); len(a) != 1 || a[0].State != Firing || a[0].Silence != "s1" {
		t.Errorf("it is shown all the same: %+v", a)
	}
	w.want("after its end", w.wait(2*time.Minute), downKey+" firing")
	s.Until = w.at.Add(time.Hour)
	w.SetSilences([]store.Silence{s})
	w.change("pvs1", "up")
	w.want("an end is told to who was told the beginning", w.wait(2*time.Minute), downKey+" resolved")
	w.change("pvs1", "down")
	w.wait(time.Minute)
	w.change("pvs1", "up")
	w.want("begun and ended in silence", w.wait(5*time.Minute))
}

func TestMatches(t *testing.T) {
	now := time.Unix(1000, 0)
	labels := map[string]string{"code": "slow", "server": "pvs1"}
	for _, c := range []struct {
		match map[string]string
		want  bool
	}{
		{map[string]string{"server": "pvs1"}, true},
		{map[string]string{"server": "pvs*", "code": "s*w"}, true},
		{map[string]string{"server": "*"}, true},
		{map[string]string{"server": "pvs2"}, false},
		{map[string]string{"server": "pvs1", "code": "flapping"}, false},
		{map[string]string{"file": "a"}, false},
		{map[string]string{"server": "p*pvs1"}, false},
		{nil, false},
	} {
		if got := Matches(store.Silence{Match: c.match, Until: now.Add(1)}, labels, now); got != c.want {
			t.Errorf("%v: %v", c.match, got)
		}
	}
	if Matches(store.Silence{Match: labels, Until: now}, labels, now) || Matches(store.Silence{Match: labels, Since: now.Add(1), Until: now.Add(2)}, labels, now) {
		t.Error("outside of its time")
	}
}

func TestForget(t *testing.T) {
	w := begin(t, Rules{})
	w.change("other", "up")
	w.change("pvs1", "down")
	w.measure("pvs1", time.Millisecond, "a")
	w.wait(time.Minute)
	w.Forget(w.at, func(server, _ string) bool { return server == "pvs1" })
	w.want("a server that the site file names no more", w.wait(2*time.Minute), downKey+" resolved")
	if len(w.tests) != 0 || len(w.servers) != 1 {
		t.Errorf("%d tests, %d servers", len(w.tests), len(w.servers))
	}
}
