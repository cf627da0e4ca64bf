package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// node is an App at work on loopback, from a site file in a directory of its own.
type node struct {
	*App
	dir, file  string
	tftp, http int // ports
	status     int
	told       chan string // what systemd would be told
	hup        chan os.Signal
	log        *lines
	stop       context.CancelFunc
	ended      chan error
}

// patience is how long a test waits for what has to come. Nothing takes so long but a fault: it is no
// measure of how fast anything is.
const patience = time.Minute

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// prepare writes the site file and makes the App, which opens nothing yet.
func prepare(t *testing.T, edit func(string) string) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "sf") // short: the name of a unix socket has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n := &node{
		dir: dir, file: filepath.Join(dir, "surefoot.yaml"), tftp: freePort(t), http: freePort(t), status: freePort(t),
		hup: make(chan os.Signal), log: &lines{}, ended: make(chan error, 1),
	}
	n.put(t, "boot/a.0", strings.Repeat("a", 1100))
	n.configure(t, edit)
	at := &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"}
	systemd, err := net.ListenUnixgram("unixgram", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = systemd.Close() })
	n.told = make(chan string, 100)
	go func() { // it ends with the socket
		b := make([]byte, 4096)
		for {
			k, err := systemd.Read(b)
			if err != nil {
				return
			}
			n.told <- string(b[:k])
		}
	}()
	n.App, err = New(Options{ConfigPath: n.file, Node: "boot1", Notify: at.Name, Version: "test"}, slog.New(slog.NewTextHandler(n.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// configure writes the site file with the node's ports, changed by edit.
func (n *node) configure(t *testing.T, edit func(string) string) {
	t.Helper()
	s := fmt.Sprintf(`site: hq
root: %s/boot
nodes:
  boot1: {address: 127.0.0.1, roles: [tftp, http]}
boot:
  - {name: rest, file: a.0}
tftp: {listen: "127.0.0.1:%d"}
http: {listen: "127.0.0.1:%d"}
status: {listen: "127.0.0.1:%d", socket: %s/sock}
drain_timeout: 5s
`, n.dir, n.tftp, n.http, n.status, n.dir)
	if edit != nil {
		s = edit(s)
	}
	n.put(t, "surefoot.yaml", s)
}

func (n *node) put(t *testing.T, name, content string) {
	t.Helper()
	file := filepath.Join(n.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start runs a node until the test ends, and returns when it is ready.
func start(t *testing.T, edit func(string) string) *node {
	t.Helper()
	return prepare(t, edit).begin(t)
}

// begin runs a node that was prepared.
func (n *node) begin(t *testing.T) *node {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	go func() { n.ended <- n.Run(ctx, n.hup); close(n.ended) }()
	t.Cleanup(func() {
		stop()
		if err := <-n.ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		if t.Failed() {
			t.Log(n.log)
		}
	})
	n.await(t, "READY=1")
	return n
}

// await reads what systemd is told until it is told this.
func (n *node) await(t *testing.T, want string) {
	t.Helper()
	for late := time.After(patience); ; {
		select {
		case got := <-n.told:
			if strings.Contains(got, want) {
				return
			}
		case <-late:
			t.Fatalf("systemd is never told %s\n%s", want, n.log)
		}
	}
}

// page reads a file over HTTP; "" if nobody answers.
func page(t *testing.T, port int, path string) string {
	t.Helper()
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		return ""
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// transfer is a TFTP client that acknowledges when it is told to.
type transfer struct {
	*net.UDPConn
	from *net.UDPAddr
	file []byte
}

func ask(t *testing.T, port int, file string) *transfer {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.WriteToUDP([]byte("\x00\x01"+file+"\x00octet\x00"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err != nil {
		t.Fatal(err)
	}
	return &transfer{UDPConn: c}
}

// block reads and keeps the next block, and reports whether it is the last.
func (x *transfer) block(t *testing.T) bool {
	t.Helper()
	if err := x.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1024)
	k, from, err := x.ReadFromUDP(b)
	if err != nil {
		t.Fatal(err)
	}
	if k < 4 || b[1] != 3 {
		t.Fatalf("not a block of data: %q", b[:k])
	}
	x.from, x.file = from, append(x.file, b[4:k]...)
	return k < 516
}

func (x *transfer) acknowledge(t *testing.T, block byte) {
	t.Helper()
	if _, err := x.WriteToUDP([]byte{0, 4, 0, block}, x.from); err != nil {
		t.Fatal(err)
	}
}
