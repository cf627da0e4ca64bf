package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/journal"
)

// get asks a handler as a browser on this machine does.
func get(t *testing.T, h http.Handler, method, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	r.Host = "127.0.0.1:8068"
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

func TestPaths(t *testing.T) {
	n := start(t, Config{Status: loopback})
	demoBoots(n.journal.Emit, time.Now(), "undionly.kpxe")
	n.told(t)
	page, control := n.guard(n.pages()), n.api(true)
	for _, c := range []struct {
		h            http.Handler
		method, path string
		code         int
		kind, text   string
	}{
		{page, "GET", "/", 200, "text/html; charset=utf-8", "52:54:00:12:34:08"},
		{page, "GET", "/body", 200, "text/html; charset=utf-8", "Last boots"},
		{page, "GET", "/page.css", 200, "text/css; charset=utf-8", "prefers-color-scheme: dark"},
		{page, "GET", "/page.js", 200, "text/javascript; charset=utf-8", "EventSource"},
		{page, "GET", "/api/v1/status", 200, "application/json", `"node": "boot1"`},
		{page, "GET", "/api/v1/stories?limit=2", 200, "application/json", `"stories": [`},
		{page, "GET", "/api/v1/stories?limit=0", 400, "", "limit"},
		{page, "GET", "/api/v1/stories?limit=x", 400, "", "limit"},
		{page, "GET", "/api/v1/stories/52:54:00:12:34:05", 200, "application/json", `"kind": "script"`},
		{page, "GET", "/api/v1/stories/99:99", 200, "application/json", `"stories": []`},
		{page, "GET", "/metrics", 200, "", "surefoot_tftp_transfers_total"},
		{page, "GET", "/ready", 200, "", "ready"},
		{page, "GET", "/health", 200, "", "ok"},
		{page, "GET", "/nothing", 404, "", ""},
		{page, "GET", "/page/body.html", 404, "", ""},
		{page, "GET", "/..%2fpage.go", 404, "", ""},
		{page, "POST", "/", 405, "", ""},
		{page, "POST", "/api/v1/reload", 404, "", ""},
		{page, "GET", "/api/v1/reload", 404, "", ""},
		{control, "GET", "/api/v1/reload", 405, "", ""},
		{control, "POST", "/api/v1/reload", 200, "application/json", `"node": "boot1"`},
		{control, "GET", "/metrics", 200, "", "surefoot_build_info"},
	} {
		w := get(t, c.h, c.method, c.path)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%s %s: %d, want %d and %q: %.300s", c.method, c.path, w.Code, c.code, c.text, w.Body)
		}
		if k := w.Header().Get("Content-Type"); c.kind != "" && k != c.kind {
			t.Errorf("%s %s: Content-Type %q, want %q", c.method, c.path, k, c.kind)
		}
	}
	if n.reloads != 1 {
		t.Errorf("%d reloads, want one: by POST on the control side alone", n.reloads)
	}
}

// A page of another site must not read this one through a visitor's browser.
func TestHostNames(t *testing.T) {
	n := start(t, Config{Status: loopback})
	for name, ok := range map[string]bool{
		"127.0.0.1:8068": true, "127.0.0.1": true, "[::1]:8068": true, "[::1]": true, "localhost:8068": true, "LOCALHOST": true, "localhost.": true,
		"boot1": true, "Boot1:8068": true, "boot1.example.com": true, "10.10.0.11:8068": true,
		"evil.example": false, "evil.example:8068": false, "127.0.0.1.evil.example": false, "localhost.evil.example": false,
		"notboot1": false, "": false, "[": false,
	} {
		want := http.StatusOK
		if !ok {
			want = http.StatusMisdirectedRequest
		}
		for _, path := range []string{"/", "/api/v1/status", "/metrics"} {
			if w := get(t, n.guard(n.pages()), "GET", path, host(name)); w.Code != want {
				t.Errorf("%s with Host %q: %d, want %d", path, name, w.Code, want)
			}
		}
	}
	n.cfg.Status = mustPort("10.10.0.11:8068")
	if w := get(t, n.guard(n.pages()), "GET", "/", host("status.example.com")); w.Code != http.StatusOK {
		t.Errorf("on a network, by a name that somebody gave it: %d", w.Code)
	}
}

func TestHeaders(t *testing.T) {
	n := start(t, Config{Status: loopback})
	for _, path := range []string{"/", "/api/v1/status", "/page.js", "/nothing"} {
		w := get(t, n.guard(n.pages()), "GET", path, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") })
		for name, want := range map[string]string{
			"Content-Security-Policy": csp, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Access-Control-Allow-Origin": "",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(csp, part) || strings.Contains(csp, "unsafe") {
			t.Errorf("the policy %q lacks %s, or allows something unsafe", csp, part)
		}
	}
}

func TestReadyAndHealth(t *testing.T) {
	n := start(t, Config{})
	check := func(path string, code int, text string) {
		t.Helper()
		if w := get(t, n.pages(), "GET", path); w.Code != code || !strings.Contains(w.Body.String(), text) {
			t.Errorf("%s: %d %q, want %d %q", path, w.Code, w.Body, code, text)
		}
	}
	check("/ready", 200, "ready")
	n.set(func(st *Status) { st.Ready, st.NotReady = false, []string{"tftp starting", "http failed"} })
	check("/ready", 503, "not ready: tftp starting, http failed")
	check("/health", 200, "ok")
	n.set(func(st *Status) { st.Draining, st.NotReady = true, []string{"draining"} })
	check("/ready", 503, "draining")
	check("/health", 503, "draining")
	check("/", 200, "draining")
}

// TestClient is the way of the command line: over a real unix socket.
func TestClient(t *testing.T) {
	path := socketPath(t)
	n := start(t, Config{Socket: path})
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o660 {
		t.Fatalf("mode of the socket: %v, %v", st.Mode(), err)
	}
	demoBoots(n.journal.Emit, time.Now(), "undionly.kpxe")
	n.told(t)
	c := Dial(path)
	st, err := c.Status(t.Context())
	if err != nil || st.Node != "boot1" || len(st.Warnings) != 1 || st.Counters["offers"] != 9 || st.Servers[1].TFTP.String() != "10.10.0.21:69" {
		t.Errorf("status %+v, %v", st, err)
	}
	stories, err := c.Stories(t.Context(), journal.Query{Machine: "12:34:05"})
	if err != nil || len(stories) != 1 || len(stories[0].Stages) != 2 || len(stories[0].Steps) == 0 {
		t.Errorf("stories %+v, %v", stories, err)
	}
	if stories, err = c.Stories(t.Context(), journal.Query{Latest: true, Limit: 3}); err != nil || len(stories) != 3 || len(stories[0].Steps) != 0 {
		t.Errorf("stories %+v, %v", stories, err)
	}
	if st, err = c.Reload(t.Context()); err != nil || st.Node != "boot1" {
		t.Errorf("reload: %+v, %v", st, err)
	}
	n.mu.Lock()
	n.reload = errors.New("surefoot.yaml:6:12: boot[0].file: missing\n  > 6 | - {name: x}")
	n.mu.Unlock()
	var refused *ReloadError
	if _, err = c.Reload(t.Context()); !errors.As(err, &refused) || refused.Text != n.reload.Error() {
		t.Errorf("a refused reload: %v", err)
	}
}

func TestFollow(t *testing.T) {
	path := socketPath(t)
	n := start(t, Config{Socket: path})
	mac := boot.MAC{2, 0, 0, 0, 0, 1}
	discover := func(m boot.MAC) {
		n.journal.Emit(boot.Event{Time: time.Now(), Role: "proxydhcp", Kind: boot.DiscoverSeen, MAC: m, XID: 1})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	go func() { // until the follower has seen enough
		for ctx.Err() == nil {
			discover(boot.MAC{2, 0, 0, 0, 0, 2})
			discover(mac)
			time.Sleep(5 * time.Millisecond)
		}
	}()
	seen := 0
	err := Dial(path).Follow(ctx, mac.String(), func(u journal.Update) error {
		if u.Story.MAC != mac || u.Event == nil || u.Event.Kind != boot.DiscoverSeen {
			t.Errorf("update %+v", u)
		}
		if seen++; seen == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || seen < 3 {
		t.Errorf("%d updates, %v", seen, err)
	}
}

// A browser gets server-sent events, and the end of the program ends the stream at once.
func TestServerSentEvents(t *testing.T) {
	n := start(t, Config{Status: loopback})
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+n.Addr().String()+"/api/v1/follow", nil)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if k := resp.Header.Get("Content-Type"); k != "text/event-stream" {
		t.Errorf("Content-Type %q", k)
	}
	n.journal.Emit(boot.Event{Time: time.Now(), Role: "proxydhcp", Kind: boot.DiscoverSeen, MAC: boot.MAC{2, 0, 0, 0, 0, 1}, XID: 1})
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	var u journal.Update
	if data, ok := strings.CutPrefix(line, "data: "); !ok || err != nil || json.Unmarshal([]byte(data), &u) != nil || u.Story.State != journal.Running {
		t.Errorf("%q, %v", line, err)
	}
}

func TestTooManyFollowers(t *testing.T) {
	n := start(t, Config{Status: loopback})
	for range maxFollowers {
		n.following <- struct{}{}
	}
	if w := get(t, n.pages(), "GET", "/api/v1/follow"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", w.Code)
	}
	if w := get(t, n.pages(), "GET", "/metrics"); w.Code != 200 {
		t.Errorf("the others are served: %d", w.Code)
	}
}

func TestUnreachable(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	for _, path := range []string{filepath.Join(dir, "none.sock"), dead} {
		var u *UnreachableError
		_, err := Dial(path).Status(t.Context())
		if !errors.As(err, &u) || u.Denied() || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if hint := strings.Join(u.Hint(), "\n"); !strings.Contains(hint, "systemctl status surefoot") || !strings.Contains(hint, "--socket") {
			t.Errorf("hint %q", hint)
		}
	}
	if err := (&UnreachableError{Socket: dead, Err: fs.ErrPermission}); !err.Denied() || !strings.Contains(err.Hint()[0], "root") {
		t.Errorf("permission: %v, %v", err, err.Hint())
	}
}

func TestSocketPlace(t *testing.T) {
	listen := func(path string) error {
		s := &Server{cfg: Config{Socket: path}}
		err := s.Listen(t.Context())
		if err == nil {
			_ = s.Close()
		}
		return err
	}
	t.Run("a new folder", func(t *testing.T) {
		if err := listen(filepath.Join(t.TempDir(), "a", "b.sock")); err != nil {
			t.Error(err)
		}
	})
	t.Run("left by a dead process", func(t *testing.T) {
		path := socketPath(t)
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		_ = l.Close()
		if err := listen(path); err != nil {
			t.Error(err)
		}
	})
	t.Run("another surefoot", func(t *testing.T) {
		path := socketPath(t)
		start(t, Config{Socket: path})
		var used *InUseError
		if err := listen(path); !errors.As(err, &used) || used.Node != "boot1" || !strings.Contains(err.Error(), "boot1") || len(used.Hint()) == 0 {
			t.Errorf("%v", err)
		}
		if _, err := Dial(path).Status(t.Context()); err != nil {
			t.Errorf("the first one is disturbed: %v", err)
		}
	})
	t.Run("a file", func(t *testing.T) {
		path := socketPath(t)
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := listen(path); err == nil || !strings.Contains(err.Error(), "not a socket") {
			t.Errorf("%v", err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
			t.Errorf("the file is gone: %v", err)
		}
	})
	t.Run("too long", func(t *testing.T) {
		if err := listen(filepath.Join(t.TempDir(), strings.Repeat("x", 120))); err == nil || !strings.Contains(err.Error(), "longer") {
			t.Errorf("%v", err)
		}
	})
	t.Run("gone after the end", func(t *testing.T) {
		path := socketPath(t)
		if err := listen(path); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket stays: %v", err)
		}
	})
}

// One of two sockets is taken: none stays open.
func TestListenAllOrNothing(t *testing.T) {
	other := start(t, Config{Status: loopback})
	path := socketPath(t)
	s := &Server{cfg: Config{Status: other.Addr(), Socket: path}}
	if err := s.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), other.Addr().String()) {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the unix socket was opened")
	}
	taken := socketPath(t)
	start(t, Config{Socket: taken})
	s = &Server{cfg: Config{Status: loopback, Socket: taken}}
	if err := s.Listen(t.Context()); err == nil {
		t.Fatal("listened on a taken socket")
	}
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the status address stays open")
	}
}

func TestNewChecks(t *testing.T) {
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("made without anything to show")
	}
}

// Junk on the status port neither stops nor fills anything.
func TestJunk(t *testing.T) {
	n := start(t, Config{Status: loopback})
	for _, text := range []string{"\x00\x01\x02\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/9.9\r\nHost: a\r\n\r\n", "POST /api/v1/reload HTTP/1.0\r\n\r\n", strings.Repeat("A", 100_000)} {
		c, err := net.Dial("tcp", n.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(c, text)
		b, _ := io.ReadAll(io.LimitReader(c, 200))
		if strings.HasPrefix(string(b), "HTTP/1.1 200") || strings.HasPrefix(string(b), "HTTP/1.0 200") {
			t.Errorf("%.40q is answered: %q", text, b)
		}
		_ = c.Close()
	}
	if n.reloads != 0 {
		t.Errorf("%d reloads", n.reloads)
	}
}
