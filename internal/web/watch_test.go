package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"surefoot/internal/journal"
	"surefoot/internal/watch"
)

// monitor remembers what it was asked.
type monitor struct {
	query watch.Query
	asked []string
	err   error
}

func (m *monitor) Report(q watch.Query) watch.Report {
	m.query = q
	return watch.Report{Node: "boot1", Servers: []watch.ServerReport{{Name: "pvs1"}}}
}

func (m *monitor) Follow(ctx context.Context, test string) <-chan watch.Update {
	out := make(chan watch.Update, 1)
	out <- watch.Update{Result: &watch.Result{Test: test}}
	context.AfterFunc(ctx, func() { close(out) })
	return out
}

func (m *monitor) Drain(_ context.Context, server string, span time.Duration, reason string, dry bool) (watch.DrainResult, error) {
	m.asked = append(m.asked, "drain "+server+" "+span.String()+" "+reason)
	return watch.DrainResult{Server: server, DryRun: dry}, m.err
}

func (m *monitor) Resume(_ context.Context, server string, dry bool) (watch.DrainResult, error) {
	m.asked = append(m.asked, "resume "+server)
	return watch.DrainResult{Server: server, DryRun: dry}, m.err
}

func TestWatchAPI(t *testing.T) {
	m := &monitor{}
	j := journal.New(journal.Config{Node: "boot1"})
	s, err := New(Config{Socket: filepath.Join(t.TempDir(), "s")}, Deps{
		Journal: j, Gatherer: j.Gatherer(), Status: func() Status { return Status{} }, Ready: func() []string { return nil }, Monitor: m,
	})
	if err != nil {
		t.Fatal(err)
	}
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(text)) }
	}
	page, control := s.guard(s.pages()), s.api(true)
	for _, c := range []struct {
		h                  http.Handler
		method, path, body string
		code               int
		text, asked        string
	}{
		{page, "GET", "/api/v1/watch?samples=40&test=a&server=b&diagnoses=1", "", 200, `"name": "pvs1"`, ""},
		{page, "GET", "/api/v1/watch?samples=x", "", 400, "samples", ""},
		{page, "POST", "/api/v1/servers/pvs1/drain", "{}", 404, "", ""},
		{page, "POST", "/api/v1/servers/pvs1/resume", "{}", 404, "", ""},
		{control, "GET", "/api/v1/servers/pvs1/drain", "", 405, "", ""},
		{control, "POST", "/api/v1/servers/pvs1/drain", `{"for_ns":3600000000000,"reason":"work"}`, 200, `"server": "pvs1"`, "drain pvs1 1h0m0s work"},
		{control, "POST", "/api/v1/servers/pvs1/drain", "", 200, "", "drain pvs1 0s "},
		{control, "POST", "/api/v1/servers/pvs1/drain", `{"for":"2h"}`, 400, "unknown field", ""},
		{control, "POST", "/api/v1/servers/pvs1/drain", `{"for_ns":-1}`, 400, "negative", ""},
		{control, "POST", "/api/v1/servers/pvs1/drain", `{"reason":"` + strings.Repeat("x", 501) + `"}`, 400, "500", ""},
		{control, "POST", "/api/v1/servers/pvs1/resume", `{"dry_run":true}`, 200, `"dry_run": true`, "resume pvs1"},
	} {
		m.asked = nil
		w := get(t, c.h, c.method, c.path, body(c.body))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.text) || strings.Join(m.asked, ",") != c.asked {
			t.Errorf("%s %s %s: %d, want %d and %q: %.300s; asked %q", c.method, c.path, c.body, w.Code, c.code, c.text, w.Body, m.asked)
		}
	}
	if m.query != (watch.Query{Samples: 40, Test: "a", Server: "b", Diagnoses: true}) {
		t.Errorf("query %+v", m.query)
	}
	m.err = &watch.UnknownServerError{Name: "pvs9", Have: []string{"pvs1"}}
	if w := get(t, control, "POST", "/api/v1/servers/pvs9/drain", body("{}")); w.Code != 404 || !strings.Contains(w.Body.String(), "pvs1") {
		t.Errorf("a stranger: %d %s", w.Code, w.Body)
	}
	m.err = errors.New("no")
	if w := get(t, control, "POST", "/api/v1/servers/pvs9/resume", body("{}")); w.Code != 500 {
		t.Errorf("an error: %d", w.Code)
	}
}
