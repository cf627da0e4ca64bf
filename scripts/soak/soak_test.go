package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"surefoot/internal/probe"
	"surefoot/internal/storm"
)

// soaked is a run of some rounds whose memory is what mem says of each.
func soaked(rounds int, mem func(round int) float64) *record {
	r := &record{want: rounds * 10, clients: 512, before: sample{rss: 10 * mib, goroutines: 30, descriptors: 20}}
	r.after = r.before
	for i := range rounds {
		r.add(&storm.Result{Done: 10}, sample{rss: mem(i) * mib, heap: mib, goroutines: 31, descriptors: 90})
	}
	return r
}

func TestVerdict(t *testing.T) {
	f := func(name string, r *record, wantOK bool, wants ...string) {
		t.Helper()
		lines, ok := r.verdict()
		text := strings.Join(lines, "\n")
		if ok != wantOK {
			t.Errorf("%s: ok is %v\n%s", name, ok, text)
		}
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
	}
	level := func(int) float64 { return 50 }
	f("as it should be", soaked(40, level), true, "good  400 of 400 downloads done, 0 failed", "1.00x")
	f("fills first", soaked(40, func(i int) float64 { return min(10+5*float64(i), 60) }), true, "1.00x")
	f("leaks", soaked(40, func(i int) float64 { return 50 + float64(i) }), false, "BAD   memory: RSS in the last quarter of the rounds 84.5 MiB (median), in the second 64.5 MiB: 1.31x")
	f("one high reading", soaked(40, func(i int) float64 { return 50 + float64(i/39*500) }), true)
	f("few rounds", soaked(3, func(i int) float64 { return float64(10 * i) }), true, "memory is not judged")
	failed := soaked(40, level)
	for range 2 {
		failed.add(&storm.Result{Done: 9, Failed: 1, Failures: []storm.Failure{{Code: probe.Stalled, Step: probe.StepTransfer, Count: 1, Example: "silence"}}}, failed.after)
	}
	f("a failure", failed, false, "BAD   418 of 400 downloads done, 2 failed", "2 x stalled (transfer): silence")
	left := soaked(40, level)
	left.after.goroutines++
	f("a goroutine left", left, false, "BAD   goroutines: 30 before, 31 after")
	open := soaked(40, level)
	open.after.descriptors++
	f("a descriptor left", open, false, "BAD   descriptors: 20 before, 21 after")
	dead := soaked(40, level)
	dead.after = sample{}
	f("the server is gone", dead, false, "BAD   goroutines: 30 before, 0 after")
}

func TestValues(t *testing.T) {
	got, err := values(strings.NewReader("# HELP go_goroutines x\ngo_goroutines 37\nprocess_resident_memory_bytes 1.8e+07\nx{a=\"b\"} 3\nbad word\n"))
	if err != nil || len(got) != 2 || got["go_goroutines"] != 37 || got["process_resident_memory_bytes"] != 1.8e7 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestDraw(t *testing.T) {
	r := soaked(40, func(i int) float64 { return 50 + float64(i) })
	for name, has := range map[string]string{"m.svg": "resident memory", "m.png": "\x89PNG"} {
		file := filepath.Join(t.TempDir(), name)
		if err := r.draw(file); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(file); err != nil || !bytes.Contains(b, []byte(has)) {
			t.Errorf("%s: %v, %d bytes", name, err, len(b))
		}
	}
}

func TestTail(t *testing.T) {
	var b tail
	for range 1000 {
		_, _ = b.Write([]byte("some line\n"))
	}
	_, _ = b.Write([]byte("the end\n"))
	if s := b.String(); len(s) > tailSize || !strings.HasSuffix(s, "the end") {
		t.Errorf("%d bytes: %q", len(s), s)
	}
}

func TestAddresses(t *testing.T) {
	if a := addresses(0); a.String() != "127.1.0.1/16" || a == addresses(1) || addresses(0) != addresses(200) {
		t.Errorf("%s, %s", a, addresses(1))
	}
}
