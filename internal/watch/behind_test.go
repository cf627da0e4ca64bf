package watch

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/probe"
)

func TestReach(t *testing.T) {
	b := Behind{
		Name: "boot", Address: netip.MustParseAddrPort("10.0.0.20:69"), Interface: "eth1",
		Backends: map[string]netip.Addr{"a": netip.MustParseAddr("10.0.0.21"), "b": netip.MustParseAddr("10.0.0.22")},
	}
	at := func(server string) Test {
		return Test{Name: server + "/f", Server: server, File: "f", By: boot.ByTFTP, Target: probe.Target{Scheme: "tftp", Host: "own", Port: 69, File: "f"}}
	}
	web := at("a")
	web.Name, web.Target.Scheme = "http:a/f", "http"
	out := b.Reach([]Test{at("a"), web, at("b"), at("c")}, func(server string) bool { return server == "b" })
	if len(out) != 5 {
		t.Fatalf("%+v", out)
	}
	if a := out[0]; a.Server != "a" || a.Target.Host != "10.0.0.20" || a.Through != (probe.Through{Interface: "eth1", Backend: b.Backends["a"]}) || a.Twins == "" {
		t.Errorf("a: %+v", a)
	}
	if out[1] != web || out[2] != at("b") || out[4] != at("c") {
		t.Errorf("what is none of the service's was changed: %+v", out)
	}
	if x := out[3]; x.Name != "boot:b/f" || x.Steers() || x.Through.Backend != b.Backends["b"] || x.Twins != out[0].Twins {
		t.Errorf("b through the data plane: %+v", x)
	}
}

// A download that goes through the data plane is asked for as one, and whoever has another file than most is down.
func TestTwins(t *testing.T) {
	sums := map[string]string{"a": "one", "b": "one", "c": "two"}
	var tests []Test
	for s := range sums {
		tests = append(tests, Test{
			Name: s + "/f", Server: s, File: "f", By: boot.ByTFTP, Every: time.Second, Twins: "boot",
			Through: probe.Through{Backend: netip.MustParseAddr("10.0.0.2")},
		})
	}
	w, err := New(Config{Node: "n", Tests: tests}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if o := w.options(&tests[0]); o.Through == nil || o.Through.Backend != tests[0].Through.Backend {
		t.Errorf("%+v", o)
	}
	run := func(server string) Result {
		w.mu.Lock()
		defer w.mu.Unlock()
		out := Result{Server: server, Availability: 100, SHA256: sums[server], Response: time.Millisecond}
		for _, e := range w.order {
			if e.test.Server == server {
				w.compare(e, &out)
				e.note(out)
			}
		}
		return out
	}
	if r := run("c"); !r.Good() {
		t.Errorf("the first that is known: %+v", r)
	}
	if r := run("a"); !r.Good() {
		t.Errorf("one against one: %+v", r)
	}
	if r := run("b"); !r.Good() {
		t.Errorf("one of most: %+v", r)
	}
	if r := run("c"); r.Good() || r.Code != probe.OtherContent || r.Response != 0 {
		t.Errorf("another file: %+v", r)
	}
	sums["a"], sums["b"] = "two", "two"
	run("a")
	run("b")
	if r := run("c"); !r.Good() {
		t.Errorf("now it is one of most: %+v", r)
	}
}
