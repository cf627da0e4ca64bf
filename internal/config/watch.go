package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/probe"
)

// Watch is how servers are monitored.
type Watch struct {
	Enabled   bool
	Every     time.Duration // from one download of a test to the next
	Timeout   time.Duration // without a new packet
	DownAfter int           // bad downloads in a row that bring a server down
	UpAfter   int           // good ones that bring it up
	SlowStart time.Duration // over which the weight of one that came up grows; 0: none
	Normal    int           // every n-th good run is kept whole; 0: none
	Abnormal  int           // every n-th bad run of a row
	Tests     []WatchTest   // besides those that the rules make
	Discover  Discover      // who answers DISCOVERs
}

// WatchTest is a download that is watched besides those of the rules. It steers nothing.
type WatchTest struct {
	Name     string
	URL      string
	As       probe.Style
	Every    time.Duration
	Contains string
	SHA256   string
}

// The values that stand in when the file names none.
const (
	DefaultWatchEvery     = 10 * time.Second
	DefaultWatchTimeout   = 2 * time.Second
	DefaultWatchDownAfter = 3
	DefaultWatchUpAfter   = 2
	DefaultWatchSlowStart = 30 * time.Second
	DefaultWatchNormal    = 10
	DefaultWatchAbnormal  = 1
)

// Bounds of what a monitor may be told.
const (
	leastEvery   = 100 * time.Millisecond
	leastTimeout = 20 * time.Millisecond
	maxTests     = 20000
)

// fileWatch is the section as written.
type fileWatch struct {
	at
	written            bool
	enabled            *parsed[bool]
	every, timeout     *parsed[time.Duration]
	downAfter, upAfter *parsed[int]
	slowStart          *parsed[time.Duration]
	normal, abnormal   *parsed[int]
	tests              []fileTest
	discover           fileDiscover
	discoverOnly       bool // nothing but discover is written
}

type fileTest struct {
	at
	name, url, contains, sha256 *parsed[string]
	as                          *parsed[probe.Style]
	every                       *parsed[time.Duration]
}

func (d *decoder) watch(o object) fileWatch {
	var w fileWatch
	s, ok := o.section("watch")
	if !ok {
		return w
	}
	w = fileWatch{
		at: s.at, written: true,
		enabled:   one(s, "enabled", parseBool),
		every:     one(s, "every", parseDuration),
		timeout:   one(s, "timeout", parseDuration),
		downAfter: one(s, "down_after", parseSome(1, 100, 3)),
		upAfter:   one(s, "up_after", parseSome(1, 100, 2)),
		slowStart: one(s, "slow_start", parseDuration),
	}
	if g, ok := s.section("diagnosis"); ok {
		w.normal = one(g, "normal", parseSome(0, 60000, 10))
		w.abnormal = one(g, "abnormal", parseSome(0, 60000, 1))
	}
	w.discover, w.discoverOnly = decodeDiscover(s), s.has("discover") && len(s.val.fields) == 1
	s.each("tests", func(_ int, t object) {
		w.tests = append(w.tests, fileTest{
			at:       t.at,
			name:     one(t, "name", parseName),
			url:      one(t, "url", parseURL),
			as:       one(t, "as", parseChoice(probe.Styles()...)),
			every:    one(t, "every", parseDuration),
			contains: one(t, "contains", parseText),
			sha256:   one(t, "sha256", parseSHA256),
		})
	})
	return w
}

// parseSome is parseCount with an example that makes sense.
func parseSome(least, most, such int) func(*value) (int, *fault) {
	return func(v *value) (int, *fault) {
		n, f := parseCount(least, most)(v)
		if f != nil && f.instead != "" {
			f.write(strconv.Itoa(such))
		}
		return n, f
	}
}

// parseURL takes an address that can be probed.
func parseURL(v *value) (string, *fault) {
	s, f := parseText(v)
	if f != nil {
		return "", f
	}
	t, err := probe.ParseTarget(s)
	if err != nil {
		return "", faultf("%v", err).write("tftp://10.10.0.21/ARDBP32.BIN")
	}
	return t.String(), nil
}

// period is how often tests would be done, were they not switched off.
func (w *fileWatch) period() time.Duration { return cmp.Or(w.every.or(0), DefaultWatchEvery) }

// patience is the time-out, by default never more than half of the period.
func (w *fileWatch) patience() time.Duration {
	return w.timeout.or(min(DefaultWatchTimeout, w.period()/2))
}

// checkWatch looks for times that do not go together.
func (d *decoder) checkWatch(f *file) {
	w := &f.watch
	often := func(e *parsed[time.Duration], off bool) {
		switch {
		case e == nil || off && e.v == 0:
		case e.v < leastEvery:
			d.report(e.at, faultf("%s is more often than every %s", e.v, durationText(leastEvery)).write("every: "+durationText(DefaultWatchEvery)))
		case off && w.timeout != nil && e.v <= w.timeout.v:
			d.report(e.at, faultf("a test is to be done every %s, and may take %s without an answer", durationText(e.v), durationText(w.timeout.v)).do("the period has to be longer than the time-out"))
		}
	}
	if w.timeout != nil && w.timeout.v < leastTimeout {
		d.report(w.timeout.at, faultf("%s is shorter than %s", durationText(w.timeout.v), durationText(leastTimeout)).write("timeout: "+durationText(DefaultWatchTimeout)))
	}
	often(w.every, true)
	if w.every == nil && w.timeout != nil && w.timeout.v >= DefaultWatchEvery {
		d.report(w.timeout.at, faultf("tests are done every %s, and may take %s without an answer", durationText(DefaultWatchEvery), durationText(w.timeout.v)).do("the period, every, has to be longer than the time-out"))
	}
	if len(w.tests) > maxTests {
		d.report(w.tests[maxTests].at, faultf("there are %d tests, more than %d", len(w.tests), maxTests).do("divide them among nodes with files of their own"))
		return
	}
	d.checkDiscover(f)
	first := map[string]int{}
	for _, t := range w.tests {
		often(t.every, false)
		if t.name == nil {
			continue
		}
		if line, twice := first[t.name.v]; twice {
			d.report(t.name.at, faultf("there is a test %s already, in line %d", t.name.v, line).do("give one of them another name"))
			continue
		}
		first[t.name.v] = t.name.line
	}
}

// resolveWatch fills in what is not written. Without a word of it, servers are watched where a rule
// names others than this node: with itself alone there is nobody to send machines to instead.
func (f *file) resolveWatch(c *Config) Watch {
	w := &f.watch
	out := Watch{
		Every: w.every.or(DefaultWatchEvery), Timeout: w.patience(),
		DownAfter: w.downAfter.or(DefaultWatchDownAfter), UpAfter: w.upAfter.or(DefaultWatchUpAfter),
		SlowStart: w.slowStart.or(DefaultWatchSlowStart),
		Normal:    w.normal.or(DefaultWatchNormal), Abnormal: w.abnormal.or(DefaultWatchAbnormal),
	}
	out.Enabled = w.enabled.or(w.monitors() || c.namesOthers()) && out.Every > 0
	out.Discover = f.resolveDiscover(c)
	for _, t := range w.tests {
		out.Tests = append(out.Tests, WatchTest{
			Name: t.name.or(""), URL: t.url.or(""), As: t.as.or(probe.EDK2), Every: t.every.or(w.period()),
			Contains: t.contains.or(""), SHA256: t.sha256.or(""),
		})
	}
	return out
}

// monitors reports whether the section says something of downloads: who only wants DISCOVERs to be sent
// otherwise does not switch those on.
func (w *fileWatch) monitors() bool { return w.written && !w.discoverOnly }

// namesOthers reports whether a rule sends machines to another server than this node.
func (c *Config) namesOthers() bool {
	return slices.ContainsFunc(c.Site.Rules, func(r boot.Rule) bool {
		return !strings.Contains(r.File, "://") && slices.ContainsFunc(r.From, func(name string) bool { return name != c.Node.Name })
	})
}

// writeWatch writes the section.
func (c *Config) writeWatch(line func(string, ...any)) {
	w := c.Watch
	line("\nwatch:")
	line("  enabled: %t", w.Enabled)
	line("  every: %s", durationText(w.Every))
	line("  timeout: %s", durationText(w.Timeout))
	line("  down_after: %d", w.DownAfter)
	line("  up_after: %d", w.UpAfter)
	line("  slow_start: %s", durationText(w.SlowStart))
	line("  diagnosis: {normal: %d, abnormal: %d}", w.Normal, w.Abnormal)
	c.writeDiscover(line)
	if len(w.Tests) == 0 {
		return
	}
	line("  tests:")
	for _, t := range w.Tests {
		f := fmt.Sprintf("name: %s, url: %q, as: %s, every: %s", plain(t.Name), t.URL, t.As, durationText(t.Every))
		if t.Contains != "" {
			f += ", contains: " + plain(t.Contains)
		}
		if t.SHA256 != "" {
			f += ", sha256: " + plain(t.SHA256)
		}
		line("    - {%s}", f)
	}
}
