package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	fileName = "bootstrap"
	fileSize = 64 << 10
)

// server is a running `surefoot serve`.
type server struct {
	cmd    *exec.Cmd
	dir    string
	tftp   netip.AddrPort
	status string // host:port
	words  string // its command line
	log    *tail
	http   *http.Client
	ended  chan struct{}
}

// startServer writes a site file and starts a node of it. The ports are free ones, so that it runs with
// and without a network namespace of its own.
func startServer(ctx context.Context, o options) (*server, error) {
	dir, err := os.MkdirTemp("", "sf-soak-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, log: &tail{}, ended: make(chan struct{})}
	s.http = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // a kept connection is a goroutine and a descriptor of the server
	at, err := freePorts()
	if err != nil {
		return nil, err
	}
	s.tftp, s.status = at, at.String()
	site := filepath.Join(dir, "site.yaml")
	text := fmt.Sprintf("site: soak\nroot: %s\nnodes: {soak: {address: 127.0.0.1, roles: [tftp]}}\nboot: [{name: all, file: %s}]\n"+
		"tftp: {listen: %q}\nstatus: {listen: %q, socket: %s}\n", filepath.Join(dir, "root"), fileName, s.tftp, s.status, filepath.Join(dir, "s"))
	content := make([]byte, fileSize)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content)
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "root"), 0o755),
		os.WriteFile(filepath.Join(dir, "root", fileName), content, 0o644),
		os.WriteFile(site, []byte(text), 0o644),
	} {
		if err != nil {
			return nil, err
		}
	}
	s.cmd = exec.Command(o.bin, "serve", "--config", site, "--node", "soak")
	s.words = strings.Join(s.cmd.Args, " ")
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // Ctrl-C is for the clients
	if err := s.cmd.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	if err := s.ready(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// freePorts finds a port that is free for UDP and TCP.
func freePorts() (netip.AddrPort, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer l.Close()
	return netip.ParseAddrPort(l.Addr().String())
}

func (s *server) ready(ctx context.Context) error {
	for {
		if r, err := s.http.Get("http://" + s.status + "/ready"); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ended:
			return fmt.Errorf("the server ended%s", s.lastWords())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the server at once and leaves nothing behind.
func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	<-s.ended
	_ = os.RemoveAll(s.dir)
}

func (s *server) lastWords() string {
	if text := s.log.String(); text != "" {
		return "\nthe last that the server said:\n" + text
	}
	return ""
}

// sample is what the server holds.
type sample struct {
	rss, heap   float64 // bytes
	goroutines  int
	descriptors int
}

func (s sample) String() string {
	return fmt.Sprintf("RSS %.1f MiB, heap in use %.1f MiB, %d goroutines, %d descriptors", s.rss/mib, s.heap/mib, s.goroutines, s.descriptors)
}

const mib = 1 << 20

// look asks the server what it holds.
func (s *server) look(ctx context.Context) (sample, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.status+"/metrics", nil)
	if err != nil {
		return sample{}, err
	}
	r, err := s.http.Do(req)
	if err != nil {
		return sample{}, err
	}
	defer r.Body.Close()
	all, err := values(r.Body)
	if err != nil {
		return sample{}, err
	}
	var out sample
	for name, to := range map[string]func(float64){
		"process_resident_memory_bytes": func(v float64) { out.rss = v },
		"go_memstats_heap_inuse_bytes":  func(v float64) { out.heap = v },
		"go_goroutines":                 func(v float64) { out.goroutines = int(v) },
		"process_open_fds":              func(v float64) { out.descriptors = int(v) },
	} {
		v, ok := all[name]
		if !ok {
			return sample{}, fmt.Errorf("no %s in /metrics", name)
		}
		to(v)
	}
	return out, nil
}

// values reads the metrics without labels, in Prometheus' text form.
func values(r io.Reader) (map[string]float64, error) {
	out := map[string]float64{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 2 && !strings.Contains(f[0], "{") {
			if v, err := strconv.ParseFloat(f[1], 64); err == nil {
				out[f[0]] = v
			}
		}
	}
	return out, lines.Err()
}

// least asks until the connections of earlier questions are closed, and returns the least of goroutines
// and descriptors.
func (s *server) least(ctx context.Context) (sample, error) {
	out, err := s.look(ctx)
	for range 5 {
		if err != nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
		var now sample
		now, err = s.look(ctx)
		out.goroutines, out.descriptors = min(out.goroutines, now.goroutines), min(out.descriptors, now.descriptors)
	}
	return out, err
}

// settle waits until the last transfers have ended: a client that is done is gone, and the server may
// wait for its last ACK until it gives up.
func (s *server) settle(ctx context.Context, before sample) (after sample) {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	for {
		now, err := s.look(ctx)
		if err == nil && after.rss > 0 {
			now.goroutines, now.descriptors = min(now.goroutines, after.goroutines), min(now.descriptors, after.descriptors)
		}
		if err == nil {
			after = now
		}
		if err == nil && after.goroutines <= before.goroutines && after.descriptors <= before.descriptors {
			return after
		}
		select {
		case <-ctx.Done():
			return after
		case <-s.ended:
			return after
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// tail keeps the last of what is written to it.
type tail struct {
	mu sync.Mutex // guards b
	b  []byte
}

const tailSize = 2000

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailSize {
		t.b = append(t.b[:0], t.b[len(t.b)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b[max(0, len(t.b)-tailSize):]))
}
