package app

import (
	"fmt"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/watch"
)

// warnHealth tells of servers that are down or drained, and of files that nobody hands out.
func (a *App) warnHealth(add adder) {
	if a.monitor == nil {
		return
	}
	yet := map[string]bool{} // dead, and named all the same for a file that nobody hands out
	for _, f := range a.monitor.Snapshot().Findings() {
		for _, name := range f.Servers {
			yet[name] = yet[name] || f.Reason == boot.AllServersDown
		}
		fix := "surefoot server list shows what is wrong with each; until one is mended, machines try them in turn"
		if f.Reason == boot.DrainYields {
			fix = "mend another server, or resume one: surefoot server resume " + f.Servers[0]
		}
		add(string(f.Reason), fmt.Sprintf("%s: %s", f.File, f.Reason.Text()), fmt.Sprintf("rule %s: %s", strings.Join(f.Rules, ", "), f.Text), fix)
	}
	for _, s := range a.monitor.Servers() {
		out := "left out of answers"
		if yet[s.Name] {
			out = "left out of answers where another is alive"
		}
		switch s.Health {
		case health.Down:
			add("server-down", "server "+s.Name+" is down", "since "+clock(s.Since)+", and "+out+": "+s.Cause, "surefoot server show "+s.Name)
		case watch.Partly:
			add("server-down", "server "+s.Name+" is down for some of its downloads", "since "+clock(s.Since)+", and "+out+" for them: "+s.Cause, "surefoot server show "+s.Name)
		}
		if d := s.Drain; d != nil {
			text := "since " + clock(d.Since)
			if !d.Until.IsZero() {
				text += " until " + clock(d.Until)
			}
			if d.Reason != "" {
				text += ": " + d.Reason
			}
			add("server-drained", "server "+s.Name+" is drained", text, "surefoot server resume "+s.Name)
		}
	}
	if err := a.monitor.NotKept(); err != nil {
		add("state-not-kept", "drains end with this process", firstLine(err), "make the directory that state names, writable for Surefoot (systemd: StateDirectory=surefoot)")
	}
}

func clock(t time.Time) string { return t.Local().Format(time.DateTime) }
