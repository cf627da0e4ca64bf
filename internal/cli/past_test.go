package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"surefoot/internal/store"
	"surefoot/internal/store/sqlite"
	"surefoot/internal/web"
)

func TestParseWhen(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"90m": now.Add(-90 * time.Minute), "7d": now.Add(-7 * 24 * time.Hour), "08:30": time.Date(2026, 11, 25, 8, 30, 0, 0, time.Local),
		"2026-11-01": time.Date(2026, 11, 1, 0, 0, 0, 0, time.Local), "2026-11-01 10:00": time.Date(2026, 11, 1, 10, 0, 0, 0, time.Local),
		"2026-11-01T10:00:00Z": time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC),
	} {
		if got, err := parseWhen(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "yesterday", "-1h", "0d", "25:00", "7 d"} {
		if got, err := parseWhen(text, now); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

// kept makes a history of a day: a test that is slow for an hour, and fails for ten minutes.
func kept(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "history.db")
	d := sqlite.New(sqlite.Config{File: file}, sqlite.Deps{})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, nil) }()
	now := time.Now()
	for i := range 24 * 60 {
		m := store.Measurement{Test: "pvs1-bios", Server: "pvs1", File: "a.0", At: now.Add(-time.Duration(i+1) * time.Minute), Available: true, Response: 20 * time.Millisecond, Bytes: 1000}
		if i/60 == 5 {
			m.Response = 90 * time.Millisecond
		}
		if i/10 == 50 {
			m.Available, m.Response, m.Cause = false, 0, "no-answer"
		}
		d.Measure(m)
	}
	d.Story(store.Story{ID: "x", Machine: "52:54:00:12:34:56", State: "done", Started: now, Updated: now, Body: json.RawMessage(`{"id":"x","mac":"52:54:00:12:34:56","state":"done","where":"delivered"}`)})
	if err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return file
}

// TestWatchHistory reads a history whose node does not run.
func TestWatchHistory(t *testing.T) {
	file := kept(t)
	run := func(args ...string) (out, errs string, code int) {
		t.Helper()
		var o, e strings.Builder
		code = Main(t.Context(), append([]string{"watch", "history", "--file", file}, args...), Env{In: strings.NewReader(""), Out: &o, Err: &e, Getenv: func(string) string { return "" }})
		return o.String(), e.String(), code
	}
	out, errs, code := run("pvs1", "--since", "25h", "--step", "30m")
	if code != ExitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, want := range []string{"99.3% available (1430 of 1440 runs)", "min 20 ms  median 20 ms", "max 90 ms", "last failure: no-answer", "█", "x"} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %q:\n%s", want, out)
		}
	}
	for line := range strings.Lines(out) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	out, _, _ = run("--since", "25h", "--json")
	var h web.History
	if err := json.Unmarshal([]byte(out), &h); err != nil || len(h.Series) != 1 || h.Series[0].Whole.Good != 1430 {
		t.Errorf("JSON: %v %+v", err, h)
	}
	for _, p := range h.Series[0].Points {
		if p.Good == 0 && (p.Median != nil || p.Min != nil) {
			t.Errorf("unavailable, and a response time all the same: %+v", p)
		}
	}
	out, _, _ = run("--since", "25h", "--csv", "--step", "10m")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) < 140 || rows[0][0] != "time" || rows[1][1] != "pvs1-bios" {
		t.Errorf("CSV: %v, %d rows", err, len(rows))
	}
	if out, _, code := run("nobody"); code != ExitOK || !strings.Contains(out, `nothing was measured of "nobody"`) {
		t.Errorf("of nobody: %d %s", code, out)
	}
	for _, bad := range [][]string{{"--since", "x"}, {"--step", "x"}, {"--until", "x"}, {"--since", "7d", "--step", "1s"}, {"--since", "1h", "--until", "2h"}} {
		if _, _, code := run(bad...); code != ExitUsage {
			t.Errorf("%v: exit %d", bad, code)
		}
	}
}

func TestNoHistoryAtAll(t *testing.T) {
	var o, e strings.Builder
	code := Main(t.Context(), []string{"watch", "history", "--file", "/nonexistent/history.db"}, Env{In: strings.NewReader(""), Out: &o, Err: &e, Getenv: func(string) string { return "" }})
	if code != ExitFailed || !strings.Contains(e.String(), "no such file") {
		t.Errorf("exit %d: %s", code, e.String())
	}
	for _, args := range [][]string{{"alert", "list"}, {"alert", "silence", "a=b"}, {"alert", "unsilence", "x"}} {
		code := Main(t.Context(), append(args, "--socket", "/nonexistent/sock"), Env{In: strings.NewReader(""), Out: &o, Err: &e, Getenv: func(string) string { return "" }})
		if code != ExitNoDaemon {
			t.Errorf("%v: exit %d", args, code)
		}
	}
	for _, args := range [][]string{{"alert", "silence"}, {"alert", "silence", "x"}, {"alert", "silence", "a=b", "--for", "x"}, {"alert", "list", "--since", "x"}} {
		if code := Main(t.Context(), args, Env{In: strings.NewReader(""), Out: &o, Err: &e, Getenv: func(string) string { return "" }}); code != ExitUsage {
			t.Errorf("%v: exit %d", args, code)
		}
	}
}
