package config

import (
	"fmt"
	"strings"
	"time"
)

func (c *Config) writeHistory(line func(string, ...any)) {
	f := []string{"keep: " + spanText(c.History.Keep), "keep_five_minutes: " + spanText(c.History.Five), "keep_measurements: " + spanText(c.History.Raw), "max_size: " + sizeText(c.History.MaxSize)}
	if c.History.File != "" {
		f = append([]string{"file: " + plain(c.History.File)}, f...)
	}
	line("\nhistory: {%s}", strings.Join(f, ", "))
	r := c.Alerts.Rules
	line("alerts:")
	line("  rules:")
	line("    repeat: %s", spanText(r.Repeat))
	line("    resolve_after: %s", spanText(r.ResolveAfter))
	line("    down: {after: %s}", spanText(r.DownAfter))
	line("    slow: {after: %s, deviations: %d, percent: %d, samples: %d}", spanText(r.SlowAfter), r.SlowDeviations, r.SlowPercent, r.SlowSamples)
	line("    flapping: {changes: %d, within: %s}", r.FlapChanges, spanText(r.FlapWithin))
	line("    content: {after: %s}", spanText(r.ContentAfter))
	line("    nobody: {probes: %d}", r.NobodyProbes)
	line("    boots: {share: %d, least: %d, within: %s}", r.StoriesShare, r.StoriesLeast, spanText(r.StoriesWithin))
	if len(c.Alerts.Notify) > 0 {
		line("  notify:")
	}
	for _, n := range c.Alerts.Notify {
		line("    - {%s}", strings.Join(n.fields(), ", "))
	}
}

func (n Notify) fields() []string {
	var f []string
	add := func(name, v string) {
		if v != "" {
			f = append(f, name+": "+plain(v))
		}
	}
	add("webhook", n.Webhook)
	add("alertmanager", n.Alertmanager)
	add("token_file", n.TokenFile)
	if m := n.Mail; m != nil {
		s := []string{"server: " + plain(m.Server), "from: " + plain(m.From), "to: " + flow(m.To)}
		if m.User != "" {
			s = append(s, "user: "+plain(m.User), "password_file: "+plain(m.PasswordFile))
		}
		f = append(f, "smtp: {"+strings.Join(append(s, "tls: "+m.TLS), ", ")+"}")
	}
	if n.Syslog != nil {
		add("syslog", n.Syslog.Network+"://"+n.Syslog.Address)
	}
	if len(n.Exec) > 0 {
		f = append(f, "exec: "+flow(n.Exec))
	}
	return f
}

// spanText writes whole days as such.
func spanText(d time.Duration) string {
	if day := 24 * time.Hour; d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return durationText(d)
}
