package httpboot

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/files"
)

// events collects what a server emits.
type events struct {
	mu   sync.Mutex // guards list
	list []boot.Event
	end  chan boot.Event // each transfer-end and script
}

func (e *events) emit(ev boot.Event) {
	e.mu.Lock()
	e.list = append(e.list, ev)
	e.mu.Unlock()
	if ev.Kind == boot.TransferEnd || ev.Kind == boot.ScriptSent || ev.Reason == boot.MethodRefused {
		e.end <- ev
	}
}

func (e *events) wait(t *testing.T) boot.Event {
	t.Helper()
	select {
	case ev := <-e.end:
		return ev
	case <-time.After(10 * time.Second):
		t.Fatal("no transfer-end event")
	}
	panic("unreachable")
}

func (e *events) count(k boot.Kind) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, ev := range e.list {
		if ev.Kind == k {
			n++
		}
	}
	return n
}

type running struct {
	*Server
	*events
	url  string
	stop func() error
}

// start runs a server on loopback with the files.
func start(t *testing.T, cfg Config, contents map[string]string) running {
	t.Helper()
	dir := t.TempDir()
	for name, c := range contents {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(c), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := files.Open(dir, files.Options{Fold: true, Builtin: map[string][]byte{boot.TestBootstrapX64: []byte("MZ")}})
	if err != nil {
		t.Fatal(err)
	}
	evs := &events{end: make(chan boot.Event, 1000)}
	cfg.Node, cfg.Files, cfg.Listen = "boot1", root, netip.MustParseAddrPort("127.0.0.1:0")
	s, err := New(cfg, Deps{Emit: evs.emit})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- s.Run(ctx, func() { close(ready) }) }()
	<-ready
	var once sync.Once
	var result error
	stop := func() error { once.Do(func() { cancel(); result = <-done }); return result }
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		_ = root.Close()
	})
	return running{Server: s, events: evs, url: "http://" + s.Addr().String(), stop: stop}
}

// raw sends a request as it stands and returns status line, headers and body.
func raw(t *testing.T, s running, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

func TestFiles(t *testing.T) {
	s := start(t, Config{}, map[string]string{"grubx64.efi": "grub!", "efi/a b.cfg": "cfg", "ARDBP32.BIN": "bin", "dir/x": "x", "boot.ipxe": "own"})
	tests := []struct {
		name, method, target, headers string
		status                        int
		body, ctype                   string
		reason                        boot.Reason
	}{
		{"an EFI program", "GET", "/grubx64.efi", "", 200, "grub!", "application/efi", boot.Done},
		{"shim's two slashes, no redirect", "GET", "//grubx64.efi", "", 200, "grub!", "application/efi", boot.Done},
		{"escaped", "GET", "/efi/a%20b.cfg", "", 200, "cfg", "text/plain; charset=utf-8", boot.Done},
		{"folded", "GET", "/ardbp32.bin", "", 200, "bin", "application/octet-stream", boot.Done},
		{"built in", "GET", "/surefoot-test.efi", "", 200, "MZ", "application/efi", boot.Done},
		{"size only", "HEAD", "/grubx64.efi", "", 200, "", "application/efi", boot.TsizeProbe},
		{"a range", "GET", "/grubx64.efi", "Range: bytes=1-2\r\n", 206, "ru", "application/efi", boot.Done},
		{"no such range", "GET", "/grubx64.efi", "Range: bytes=9-\r\n", 416, "invalid range: failed to overlap\n", "text/plain; charset=utf-8", boot.RangeRefused},
		{"absent", "GET", "/grubx46.efi", "", 404, "no such file\n", "text/plain; charset=utf-8", boot.FileMissing},
		{"no listing", "GET", "/dir", "", 404, "not a regular file\n", "text/plain; charset=utf-8", boot.NotAFile},
		{"no index", "GET", "/", "", 404, "not a regular file\n", "text/plain; charset=utf-8", boot.NotAFile},
		{"outside", "GET", "/../../etc/passwd", "", 403, "the name leads out of the root\n", "text/plain; charset=utf-8", boot.AccessDenied},
		{"outside, escaped", "GET", "/%2e%2e/%2e%2e/etc/passwd", "", 403, "the name leads out of the root\n", "text/plain; charset=utf-8", boot.AccessDenied},
		{"NUL", "GET", "/a%00b", "", 404, "no such file\n", "text/plain; charset=utf-8", boot.FileMissing},
		{"POST", "POST", "/grubx64.efi", "Content-Length: 100000\r\n", 405, "only GET and HEAD\n", "text/plain; charset=utf-8", boot.MethodRefused},
		{"OPTIONS *", "OPTIONS", "*", "", 405, "only GET and HEAD\n", "text/plain; charset=utf-8", boot.MethodRefused},
		{"own boot.ipxe", "GET", "/boot.ipxe", "", 200, "own", "text/plain; charset=utf-8", boot.Done},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := raw(t, s, tt.method+" "+tt.target+" HTTP/1.1\r\nHost: x\r\nUser-Agent: UefiHttpBoot/1.0\r\n"+tt.headers+"Connection: close\r\n\r\n")
			if resp.StatusCode != tt.status || body != tt.body || resp.Header.Get("Content-Type") != tt.ctype {
				t.Errorf("got %d %q %q, want %d %q %q", resp.StatusCode, body, resp.Header.Get("Content-Type"), tt.status, tt.body, tt.ctype)
			}
			ev := s.wait(t)
			if ev.Reason != tt.reason || ev.Firmware != boot.FirmwareUEFIHTTP || ev.Node != "boot1" || ev.Role != "http" || ev.Time.IsZero() {
				t.Errorf("event %+v, want reason %s", ev, tt.reason)
			}
			if tt.reason == boot.Done && ev.Bytes != int64(len(tt.body)) {
				t.Errorf("%d bytes in the event, %d sent", ev.Bytes, len(tt.body))
			}
			if tt.reason == boot.FileMissing && tt.name == "absent" && !strings.Contains(ev.Detail, "near: grubx64.efi") {
				t.Errorf("detail %q names nothing near", ev.Detail)
			}
		})
	}
	if resp, body := raw(t, s, "GET /health HTTP/1.0\r\n\r\n"); resp.StatusCode != 200 || body != "ok\n" {
		t.Errorf("health: %d %q", resp.StatusCode, body)
	}
}

func site(self string) *boot.Site {
	return &boot.Site{
		Self: self, Servers: map[string]boot.Server{
			"boot1": {Name: "boot1", Node: true, TFTP: netip.MustParseAddrPort("127.0.0.1:69"), HTTP: netip.MustParseAddrPort("127.0.0.1:8067")},
			"pvs1":  {Name: "pvs1", TFTP: netip.MustParseAddrPort("10.10.0.21:69")},
		},
		Rules: []boot.Rule{
			{Name: "menu", When: boot.Match{Firmware: []boot.Firmware{boot.FirmwareIPXE}, Arch: boot.ClassUEFIx64.Archs()}, File: "menu.ipxe", From: []string{"boot1", "pvs1"}},
			{Name: "bios", When: boot.Match{Arch: boot.ClassBIOS.Archs()}, File: "ARDBP32.BIN", From: []string{"pvs1"}},
		},
		Networks: []boot.Network{{Name: "any", Deliver: boot.DeliverProxy}},
	}
}

func TestScriptPerClient(t *testing.T) {
	s := start(t, Config{Site: site("boot1")}, nil)
	f := func(query, contains string, reason boot.Reason) boot.Event {
		t.Helper()
		resp, err := http.Get(s.url + "/boot.ipxe" + query)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 200 || !bytes.HasPrefix(body, []byte("#!ipxe\n")) || !strings.Contains(string(body), contains) {
			t.Errorf("%s: %d %s\nwant %s", query, resp.StatusCode, body, contains)
		}
		ev := s.wait(t)
		if ev.Kind != boot.ScriptSent || ev.Reason != reason {
			t.Errorf("%s: event %+v, want reason %q", query, ev, reason)
		}
		return ev
	}
	mac := "?mac=52:54:00:12:34:56"
	ev := f(mac+"&arch=7&uuid=11223344-5566-7788-99aa-bbccddeeff00", "imgfetch --timeout 5000 --name menu.ipxe http://127.0.0.1:8067/menu.ipxe", boot.Answered)
	if ev.MAC.String() != "52:54:00:12:34:56" || ev.Rule != "menu" || ev.Server != "boot1" || ev.File != "menu.ipxe" || ev.UUID.IsZero() {
		t.Errorf("event %+v", ev)
	}
	f(mac+"&platform=efi&buildarch=x86_64", "tftp://10.10.0.21/menu.ipxe", boot.Answered)
	f(mac+"&platform=pcbios&buildarch=x86_64", "tftp://10.10.0.21/ARDBP32.BIN", boot.Answered)
	f("?mac=52-54-00-12-34-56&arch=bios", "ARDBP32.BIN", boot.Answered)
	f(mac+"&arch=uefi-arm64", "no rule matches this client", boot.NoRule)
	f(mac, "no rule matches this client", boot.NoRule)
	f("?mac=junk%0Aecho+x", "is not a MAC address", boot.BadRequest)
	f("?mac=", "is not a MAC address", boot.BadRequest)
	f(mac+"&arch=junk", "is not an architecture", boot.BadRequest)
	f("", "chain --replace boot.ipxe?mac=${netX/mac:hexhyp}&uuid=${uuid}", "")

	quiet := site("boot1")
	quiet.Networks[0].Deliver = boot.DeliverNone
	s.Apply(quiet, s.content.Load().files)
	f(mac+"&arch=7", "deliver: none", boot.NetworkSilent)
}

// A large file is told of while it moves, and a client that stops reading is given up.
func TestStalledClient(t *testing.T) {
	s := start(t, Config{StallTimeout: 300 * time.Millisecond}, map[string]string{"big": strings.Repeat("x", 32<<20)})
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
	if ev := s.wait(t); ev.Reason != boot.Timeout || ev.Bytes == 0 || ev.Bytes >= ev.Size {
		t.Errorf("event %+v, want a timeout part of the way", ev)
	}
}

func TestClientGone(t *testing.T) {
	s := start(t, Config{}, map[string]string{"big": strings.Repeat("x", 32<<20)})
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
	_, _ = io.ReadFull(c, make([]byte, 1000))
	_ = c.Close()
	if ev := s.wait(t); ev.Reason != boot.ClientGone {
		t.Errorf("event %+v, want client-gone", ev)
	}
}

// A transfer that runs when the server is told to stop is finished; progress is told meanwhile.
func TestDrainAndProgress(t *testing.T) {
	s := start(t, Config{DrainTimeout: 20 * time.Second}, map[string]string{"big": strings.Repeat("x", 16<<20)})
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.stop() }()
	var got int64
	for range 8 { // slowly: a good second in all
		n, err := io.CopyN(io.Discard, resp.Body, 2<<20)
		if err != nil {
			t.Fatalf("cut off after %d bytes: %v", got+n, err)
		}
		got += n
		time.Sleep(150 * time.Millisecond)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if ev := s.wait(t); ev.Reason != boot.Done || ev.Bytes != 16<<20 || got != ev.Bytes {
		t.Errorf("event %+v, %d bytes here", ev, got)
	}
	if n := s.count(boot.Progress); n < 1 || n > 12 {
		t.Errorf("%d progress events in about 1.2 s, want at most 4 a second", n)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

// More connections than allowed wait their turn.
func TestConnectionLimit(t *testing.T) {
	s := start(t, Config{MaxConnections: 1}, map[string]string{"f": "content"})
	dial := func() net.Conn {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ask := func(c net.Conn) (*http.Response, error) {
		_, _ = io.WriteString(c, "GET /f HTTP/1.1\r\nHost: x\r\n\r\n")
		return http.ReadResponse(bufio.NewReader(c), nil)
	}
	first := dial()
	if _, err := ask(first); err != nil {
		t.Fatal(err)
	}
	second := dial()
	defer second.Close()
	_ = second.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if _, err := ask(second); err == nil {
		t.Fatal("a second connection was served beside the only one allowed")
	}
	_ = first.Close()
	_ = second.SetReadDeadline(time.Now().Add(10 * time.Second))
	if resp, err := http.ReadResponse(bufio.NewReader(second), nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("after the first one left: %v, %v", resp, err)
	}
}

// Junk instead of a request: an answer or none, and the server goes on.
func TestJunk(t *testing.T) {
	s := start(t, Config{}, map[string]string{"f": "content"})
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1+rnd.IntN(4000))
		for j := range b {
			b[j] = byte(rnd.Uint32())
		}
		if i%2 == 0 {
			b = append([]byte("GET /"), b...)
		}
		_, _ = c.Write(append(b, "\r\n\r\n"...))
		_ = c.Close()
	}
	if resp, err := http.Get(s.url + "/f"); err != nil || resp.StatusCode != 200 {
		t.Errorf("after the junk: %v, %v", resp, err)
	}
}

func TestListenTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	root, _ := files.Open("", files.Options{})
	s, err := New(Config{Listen: l.Addr().(*net.TCPAddr).AddrPort(), Files: root}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Listen(t.Context())
	if err == nil || !strings.Contains(err.Error(), "address already in use") || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("got %v, want the holder named", err)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")}, Deps{}); err == nil {
		t.Error("no files: accepted")
	}
	root, _ := files.Open("", files.Options{})
	if _, err := New(Config{Files: root}, Deps{}); err == nil {
		t.Error("no address: accepted")
	}
}
