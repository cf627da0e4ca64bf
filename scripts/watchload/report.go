package main

import (
	"fmt"
	"time"
)

// report prints what was measured, and says whether the node kept up: no test failed, none began late,
// as many were done as are due, and nobody waited in vain.
func report(o options, from, to sample, a *asked) bool {
	wall := to.at.Sub(from.at)
	runs := to.runs - from.runs
	span := to.counted.Sub(from.counted)
	due := float64(o.servers*o.files) * span.Seconds() / o.every.Seconds()
	user, sys := (to.user - from.user).Seconds(), (to.sys - from.sys).Seconds()
	line := func(name, format string, args ...any) { fmt.Printf("%-12s %s\n", name, fmt.Sprintf(format, args...)) }
	line("tests", "%.0f in %.1f s: %.0f a second; due were %.0f", runs, span.Seconds(), runs/span.Seconds(), due)
	line("failed", "%.0f, packets sent again %.0f, servers up %d of %d", to.bad-from.bad, to.repeats-from.repeats, to.up, o.servers)
	line("began late", "%.0f", to.late-from.late)
	line("CPU", "%.3f s a second: user %.3f, system %.3f; %.0f µs a test", (user+sys)/wall.Seconds(), user/wall.Seconds(), sys/wall.Seconds(), (user+sys)/wall.Seconds()*span.Seconds()/runs*1e6)
	line("memory", "RSS %.1f MiB, most %.1f MiB", to.rss, to.peak)
	mid, most := spread(a.dns)
	line("DNS", "%d answers, median %s, longest %s", len(a.dns), mid.Round(time.Microsecond), most.Round(time.Microsecond))
	mid, most = spread(a.api)
	line("API", "%d answers, median %s, longest %s; %d questions failed", len(a.api), mid.Round(10*time.Microsecond), most.Round(10*time.Microsecond), a.failed)
	if to.lost > from.lost {
		line("history", "%.0f records lost", to.lost-from.lost)
	}
	return runs >= due*.98 && to.bad == from.bad && to.late == from.late && to.lost == from.lost && a.failed == 0
}
