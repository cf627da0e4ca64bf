package main

import (
	"fmt"
	"slices"
)

// flat is by how much the memory of the last quarter of the rounds may exceed that of the second: the
// first fills caches and the journal, which are bounded; a leak goes on.
const flat = 1.1

const (
	// fewest is how many rounds it takes to judge memory.
	fewest = 8
	// remembered is how many machines the journal remembers (docs/metrics.md): until it has seen as many,
	// memory grows with every new one.
	remembered = 4096
	// longRound is how many downloads make the time-outs of a round's last clients (4 s of EDK2) short beside
	// it.
	longRound = 10_000
)

// verdict judges what was seen, one line for each rule.
func (r *record) verdict() (lines []string, ok bool) {
	ok = true
	rule := func(good bool, format string, args ...any) {
		word := "good"
		if !good {
			word, ok = "BAD ", false
		}
		lines = append(lines, word+"  "+fmt.Sprintf(format, args...))
	}
	rule(r.failed == 0 && r.done > 0, "%d of %d downloads done, %d failed", r.done, r.want, r.failed)
	for _, f := range r.causes {
		lines = append(lines, fmt.Sprintf("      %d x %s (%s): %s", f.Count, f.Code, f.Step, f.Example))
	}
	if n := len(r.rounds); n >= fewest && n/4*r.clients >= remembered {
		second, last := r.rounds[n/4:n/2], r.rounds[n-n/4:]
		a, b := median(second, sample.resident), median(last, sample.resident)
		rule(b <= flat*a, "memory: RSS in the last quarter of the rounds %.1f MiB (median), in the second %.1f MiB: %.2fx, at most %.1fx is flat", b/mib, a/mib, b/a, flat)
	} else {
		lines = append(lines, fmt.Sprintf("      memory is not judged: after a quarter of the run the journal has to have seen the %d machines that it remembers, and this run had %d", remembered, n/4*r.clients))
	}
	rule(r.after.goroutines > 0 && r.after.goroutines <= r.before.goroutines, "goroutines: %d before, %d after", r.before.goroutines, r.after.goroutines)
	rule(r.after.descriptors > 0 && r.after.descriptors <= r.before.descriptors, "descriptors: %d before, %d after", r.before.descriptors, r.after.descriptors)
	rate := 0.0
	if s := r.elapsed.Seconds(); s > 0 {
		rate = float64(r.done) / s
	}
	lines = append(lines, fmt.Sprintf("      %.0f downloads a second over %.0f s", rate, r.elapsed.Seconds()))
	switch {
	case rate == 0 || r.want >= 1_000_000:
	case r.downloads < longRound:
		lines = append(lines, fmt.Sprintf("      rounds of %d mostly wait for their last clients' time-outs: 1,000,000, in rounds of 25,000, go several times faster", r.downloads))
	default:
		lines = append(lines, fmt.Sprintf("      at that rate 1,000,000 take %.1f minutes", 1e6/rate/60))
	}
	return lines, ok
}

func (s sample) resident() float64 { return s.rss }

func median(all []sample, of func(sample) float64) float64 {
	var v []float64
	for _, s := range all {
		v = append(v, of(s))
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
