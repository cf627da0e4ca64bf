package config

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"surefoot/internal/alert"
	"surefoot/internal/alert/notifier"
	"surefoot/internal/store"
)

// History is what a node remembers of its past.
type History struct {
	File    string        // "": where systemd says; NoHistory: nowhere
	Keep    time.Duration // buckets of an hour, changes, alerts and stories
	Five    time.Duration // buckets of five minutes
	Raw     time.Duration // single measurements
	MaxSize int64
}

// NoHistory is the file name that keeps none.
const NoHistory = "none"

// The values that stand in when the file names none.
const (
	DefaultKeep    = store.UsualHour
	DefaultMaxSize = 500 << 20
)

// Alerts are the thresholds, and who is told.
type Alerts struct {
	Rules  alert.Rules // with every default filled in
	Notify []Notify
}

// Notify is one way to tell; exactly one of its ways is set.
type Notify struct {
	Webhook, Alertmanager, TokenFile string
	Mail                             *notifier.Mail
	Syslog                           *notifier.Syslog
	Exec                             []string
}

type fileHistory struct {
	file    *parsed[string]
	keep    *parsed[time.Duration]
	five    *parsed[time.Duration]
	raw     *parsed[time.Duration]
	maxSize *parsed[int64]
	rules   alert.Rules
	notify  []Notify
}

func (d *decoder) history(o object) fileHistory {
	var h fileHistory
	if s, ok := o.section("history"); ok {
		h.file = one(s, "file", parseHistoryFile)
		h.keep = one(s, "keep", parseSpan(time.Hour))
		h.five = one(s, "keep_five_minutes", parseSpan(time.Hour))
		h.raw = one(s, "keep_measurements", parseSpan(time.Hour))
		h.maxSize = one(s, "max_size", parseHistorySize)
	}
	s, ok := o.section("alerts")
	if !ok {
		return h
	}
	if r, ok := s.section("rules"); ok {
		h.rules = alertRules(r)
	}
	s.each("notify", func(_ int, n object) {
		if x, ok := d.notify(n); ok {
			h.notify = append(h.notify, x)
		}
	})
	return h
}

func alertRules(o object) alert.Rules {
	var r alert.Rules
	span := func(o object, name string, to *time.Duration) { *to = one(o, name, parseSpan(0)).or(0) }
	number := func(o object, name string, to *int) { *to = one(o, name, parseCount(1, 100_000)).or(0) }
	span(o, "repeat", &r.Repeat)
	span(o, "resolve_after", &r.ResolveAfter)
	if s, ok := o.section("down"); ok {
		span(s, "after", &r.DownAfter)
	}
	if s, ok := o.section("slow"); ok {
		span(s, "after", &r.SlowAfter)
		number(s, "deviations", &r.SlowDeviations)
		number(s, "percent", &r.SlowPercent)
		number(s, "samples", &r.SlowSamples)
	}
	if s, ok := o.section("flapping"); ok {
		number(s, "changes", &r.FlapChanges)
		span(s, "within", &r.FlapWithin)
	}
	if s, ok := o.section("content"); ok {
		span(s, "after", &r.ContentAfter)
	}
	if s, ok := o.section("nobody"); ok {
		number(s, "probes", &r.NobodyProbes)
	}
	if s, ok := o.section("boots"); ok {
		number(s, "share", &r.StoriesShare)
		number(s, "least", &r.StoriesLeast)
		span(s, "within", &r.StoriesWithin)
	}
	return r
}

func (d *decoder) notify(o object) (Notify, bool) {
	var n Notify
	before := len(d.problems)
	n.Webhook = one(o, "webhook", parseNotifyURL("http", "https")).or("")
	n.Alertmanager = one(o, "alertmanager", parseNotifyURL("http", "https")).or("")
	n.TokenFile = one(o, "token_file", parsePath).or("")
	if s, ok := o.section("smtp"); ok {
		n.Mail = &notifier.Mail{
			Server: one(s, "server", parseHostPort).or(""), From: one(s, "from", parseText).or(""), To: plainList(words(s, "to", parseText)),
			User: one(s, "user", parseText).or(""), PasswordFile: one(s, "password_file", parsePath).or(""),
			TLS: one(s, "tls", parseChoice(notifier.StartTLS, notifier.TLSAtOnce, notifier.NoTLS)).or(notifier.StartTLS),
		}
		if (n.Mail.User == "") != (n.Mail.PasswordFile == "") {
			d.report(s.at, faultf("a login needs both user and password_file").write("user: surefoot, password_file: /etc/surefoot/smtp"))
		}
	}
	if p := one(o, "syslog", parseNotifyURL("udp", "tcp", "unix")); p != nil {
		u, _ := url.Parse(p.v) // checked when it was read
		n.Syslog = &notifier.Syslog{Network: u.Scheme, Address: u.Host + u.Path}
	}
	n.Exec = plainList(words(o, "exec", parseText))
	if len(n.Exec) > 0 && !filepath.IsAbs(n.Exec[0]) {
		d.report(o.at, faultf("%s is not an absolute path: a service has no PATH that you know", quote(n.Exec[0])).do("name the program from / on"))
	}
	var ways []string
	for _, name := range []string{"webhook", "alertmanager", "smtp", "syslog", "exec"} {
		if o.has(name) {
			ways = append(ways, name)
		}
	}
	switch {
	case len(ways) == 0:
		d.report(o.at, faultf("nobody is told by this").do("name one of webhook, alertmanager, smtp, syslog, exec"))
	case len(ways) > 1:
		d.report(o.at, faultf("%s are several ways", strings.Join(ways, " and ")).do("make an entry of notify for each"))
	case n.TokenFile != "" && n.Webhook == "" && n.Alertmanager == "":
		d.report(o.at, faultf("token_file is for webhook and alertmanager").do("leave it out"))
	}
	return n, len(d.problems) == before
}

func (h fileHistory) resolve() (History, Alerts) {
	ages := h.ages()
	return History{File: h.file.or(""), Keep: ages.Hour, Five: ages.Five, Raw: ages.Raw, MaxSize: h.maxSize.or(DefaultMaxSize)},
		Alerts{Rules: h.rules.WithDefaults(), Notify: h.notify}
}

func parseHistoryFile(v *value) (string, *fault) {
	if v.text == NoHistory {
		return NoHistory, nil
	}
	return parsePath(v)
}

var daysRegexp = regexp.MustCompile(`^([0-9]{1,5})d$`)

// maxSpan is more than anybody keeps.
const maxSpan = 10 * 366 * 24 * time.Hour

// parseSpan takes a duration that may have days.
func parseSpan(least time.Duration) func(*value) (time.Duration, *fault) {
	return func(v *value) (time.Duration, *fault) {
		if v.kind == kindNumber && v.text != "0" {
			return 0, faultf("%s has no unit", v.text).write(v.text + "m").do("the units are s, m, h and d")
		}
		t, err := time.ParseDuration(v.text)
		if m := daysRegexp.FindStringSubmatch(v.text); m != nil {
			n, _ := strconv.Atoi(m[1]) // digits
			t, err = time.Duration(n)*24*time.Hour, nil
		}
		switch {
		case err != nil:
			return 0, faultf("%s is not a duration", quote(v.text)).write("30m").do("the units are s, m, h and d, as in 30d or 1h30m")
		case t < least:
			return 0, faultf("%s is not between %s and 10 years", v.text, durationText(least)).write(spanText(least))
		case t > maxSpan:
			return 0, faultf("%s is not between %s and 10 years", v.text, durationText(least)).write("30d")
		}
		return t, nil
	}
}

func parseHistorySize(v *value) (int64, *fault) {
	n, f := parseSize(v)
	if f == nil && n < 4<<20 {
		f = faultf("%s is not 4MiB at the least", v.text).write("500MiB")
	}
	return n, f
}

func parseNotifyURL(schemes ...string) func(*value) (string, *fault) {
	return func(v *value) (string, *fault) {
		s, f := parseText(v)
		if f != nil {
			return "", f
		}
		u, err := url.Parse(s)
		if err != nil || u.Host == "" && u.Path == "" {
			return "", faultf("%s is not a URL", quote(s)).do("it begins with %s", strings.Join(schemes, ":// or ")+"://")
		}
		for _, want := range schemes {
			if u.Scheme != want {
				continue
			}
			if want == "unix" && !strings.HasPrefix(u.Path, "/") || want != "unix" && u.Host == "" || (want == "udp" || want == "tcp") && u.Port() == "" {
				return "", faultf("%s does not say where", quote(s)).do("udp://HOST:PORT, tcp://HOST:PORT, unix:///dev/log or https://HOST/PATH")
			}
			return s, nil
		}
		return "", faultf("%s begins with none of %s", quote(s), strings.Join(schemes, "://, ")+"://")
	}
}

var hostPortRegexp = regexp.MustCompile(`^[A-Za-z0-9.\[\]:-]+:[0-9]{1,5}$`)

func parseHostPort(v *value) (string, *fault) {
	s, f := parseText(v)
	if f == nil && !hostPortRegexp.MatchString(s) {
		f = faultf("%s is not HOST:PORT", quote(s)).write(`"mail.example.net:587"`)
	}
	return s, f
}
