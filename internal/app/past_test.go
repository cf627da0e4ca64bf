package app

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"surefoot/internal/alert"
	"surefoot/internal/alert/notifier"
	"surefoot/internal/config"
	"surefoot/internal/journal"
	"surefoot/internal/store"
	"surefoot/internal/store/sqlite"
	"surefoot/internal/web"
)

func withHistory(file, more string) func(string) string {
	return func(s string) string { return s + "history: {file: " + file + "}\n" + more }
}

// until asks again until the answer is right.
func until(t *testing.T, what string, right func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !right(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestHistory: what a node saw is there after a restart: stories, measurements, silences.
func TestHistory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "history.db")
	n := start(t, withHistory(file, ""))
	x := ask(t, n.tftp, "a.0")
	for i := byte(1); !x.block(t); i++ {
		x.acknowledge(t, i)
	}
	x.acknowledge(t, 3)
	now := time.Now()
	for i := range 5 {
		n.Measured(store.Measurement{Test: "t1", Server: "pvs1", File: "a.0", At: now.Add(time.Duration(i-10) * time.Second), Available: true, Response: 20 * time.Millisecond})
	}
	n.Changed(store.Change{Server: "pvs1", File: "a.0", At: now, From: "up", To: "down", Cause: "no-answer"})
	c := web.Dial(n.setup().Socket)
	q := store.Query{Name: "pvs1", Since: now.Add(-time.Hour), Until: now.Add(time.Hour), Step: time.Minute}
	until(t, "five measurements", func() bool {
		h, err := c.History(t.Context(), q)
		return err == nil && len(h.Series) == 1 && h.Series[0].Whole.Runs == 5
	})
	until(t, "the story ends", func() bool {
		s, err := c.PastStories(t.Context(), store.StoryQuery{Machine: "127.0.0.1", Since: q.Since, Until: q.Until, Limit: 9})
		return err == nil && len(s) == 1 && s[0].State == journal.Done && len(s[0].Steps) > 1
	})
	until(t, "the alert is kept", func() bool {
		a, err := c.Alerts(t.Context(), q.Since)
		return err == nil && len(a.Alerts) == 2 && len(a.Past) == 2 && a.Alerts[0].Code == alert.AllDown
	})
	s, err := c.Silence(t.Context(), store.Silence{Match: map[string]string{"server": "pvs*"}, Until: now.Add(time.Hour), Comment: "x"})
	if err != nil || len(s.ID) != 6 {
		t.Fatalf("silence %+v, %v", s, err)
	}
	until(t, "silenced", func() bool { return n.alerting.Alerts()[1].Silence == s.ID })
	n.stop()
	if err := <-n.ended; err != nil {
		t.Fatal(err)
	}

	m := start(t, withHistory(file, ""))
	c = web.Dial(m.setup().Socket)
	until(t, "the silence is back", func() bool { return len(m.alerting.Silences()) == 1 })
	if h, err := c.History(t.Context(), q); err != nil || len(h.Series) != 1 {
		t.Errorf("after a restart %+v, %v", h, err)
	}
	if err := c.Unsilence(t.Context(), s.ID); err != nil || len(m.alerting.Silences()) != 0 {
		t.Errorf("unsilence: %v", err)
	}
	if err := m.alerting.Unsilence(t.Context(), s.ID); !errors.Is(err, web.ErrNoSilence) {
		t.Errorf("once more: %v", err)
	}
}

// TestContentChangedMeanwhile: a file that changed while the node was not running is told.
func TestContentChangedMeanwhile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history.db")
	measure := func(n *node, content string) {
		n.Measured(store.Measurement{Test: "pvs1/a.0", Server: "pvs1", File: "a.0", At: time.Now(), Available: true, Content: content})
	}
	told := func(n *node) bool {
		return slices.ContainsFunc(n.alerting.Alerts(), func(a alert.Alert) bool { return a.Code == alert.ContentChanged })
	}
	n := start(t, withHistory(file, ""))
	measure(n, "aa")
	n.stop()
	if err := <-n.ended; err != nil {
		t.Fatal(err)
	}
	n = start(t, withHistory(file, ""))
	measure(n, "bb") // as likely before what is recalled as after
	until(t, "it is told", func() bool { return told(n) })
}

// TestNoHistory: a file that cannot be is a warning and nothing else; and without a file, nothing
// is kept and every question says so.
func TestNoHistory(t *testing.T) {
	n := start(t, withHistory("/proc/nothing/history.db", ""))
	until(t, "a warning", func() bool { return code(n.Status().Warnings, "history-refused") != nil })
	if got := page(t, n.http, "/a.0"); len(got) != 1100 || !n.Status().Ready {
		t.Errorf("%d bytes, %+v", len(got), n.Status())
	}
	m := start(t, nil)
	_, err := web.Dial(m.setup().Socket).History(t.Context(), store.Query{Since: time.Now().Add(-time.Hour), Until: time.Now(), Step: time.Minute})
	if err == nil || !strings.Contains(err.Error(), "keeps no history") {
		t.Errorf("without one: %v", err)
	}
}

func TestHistoryFile(t *testing.T) {
	for _, c := range []struct{ file, state, want string }{
		{"", "", ""},
		{"", "/var/lib/surefoot", "/var/lib/surefoot/history.db"},
		{"", "/a:/b", "/a/history.db"},
		{"/x.db", "/a", "/x.db"},
		{"none", "/a", ""},
	} {
		if got := historyFile(config.History{File: c.file}, c.state); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestNotifierReload: a reload exchanges who is told, and the thresholds.
func TestNotifierReload(t *testing.T) {
	out := filepath.Join(t.TempDir(), "told")
	n := start(t, nil)
	if got := n.alerting.Notifiers(); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	n.configure(t, func(s string) string {
		return s + "alerts: {rules: {repeat: 1h}, notify: [{exec: [/usr/bin/tee, " + out + "]}]}\n"
	})
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.Changed(store.Change{Server: "pvs1", File: "a.0", At: time.Now(), To: "down"})
	until(t, "somebody is told", func() bool {
		b, err := os.ReadFile(out)
		return err == nil && strings.Contains(string(b), `"code":"server-down"`)
	})
	n.configure(t, func(s string) string { return s + "history: {keep: 1d}\n" })
	if err := n.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Errorf("another history: %v", err)
	}
}

// TestPastMetrics holds the metrics of history and alerts, and the document, together.
func TestPastMetrics(t *testing.T) {
	n := start(t, withHistory(filepath.Join(t.TempDir(), "h.db"), "alerts: {notify: [{exec: [/bin/true]}]}\n"))
	n.Changed(store.Change{Server: "pvs1", File: "a.0", At: time.Now(), To: "down"})
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	ours := regexp.MustCompile(`surefoot_(history|alert)[a-z_]*`)
	var shown []string
	families, err := n.journal.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if ours.MatchString(f.GetName()) {
			shown = append(shown, f.GetName())
			if !regexp.MustCompile("`" + f.GetName() + "[`{]").Match(doc) {
				t.Errorf("docs/metrics.md does not explain %s", f.GetName())
			}
		}
	}
	for _, name := range ours.FindAllString(string(doc), -1) {
		if !slices.Contains(shown, name) {
			t.Errorf("docs/metrics.md explains %s, which is not shown", name)
		}
	}
	for _, name := range []string{
		sqlite.MetricRecords, sqlite.MetricLost, sqlite.MetricCommits, sqlite.MetricFailed, sqlite.MetricSeconds, sqlite.MetricQueue,
		sqlite.MetricSize, sqlite.MetricWritable, sqlite.MetricSqueeze, sqlite.MetricBroken, MetricAlerts, notifier.MetricSent, notifier.MetricFailed, notifier.MetricLost,
	} {
		if !slices.Contains(shown, name) {
			t.Errorf("%s is never shown", name)
		}
	}
	text, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range alert.Codes() {
		if !strings.Contains(string(text), "| `"+string(c)+"` |") {
			t.Errorf("docs/alerts.md does not explain %s", c)
		}
	}
}
