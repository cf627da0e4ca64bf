package e2e

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/testboot"
)

// bootstrap is the test bootstrap for UEFI with somebody's name in it.
func bootstrap(node string) []byte { return testboot.Files(node)[boot.TestBootstrapX64] }

// writeFiles makes a folder of files: name to content.
func writeFiles(t *testing.T, files map[string][]byte) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// alone runs `surefoot tftp` in a part of the lab, with files of its own: name to content.
func (s *stage) alone(part, addr string, files map[string][]byte) *tftpServer {
	s.t.Helper()
	root := writeFiles(s.t, files)
	p := &tftpServer{done: make(chan struct{})}
	space := strings.TrimSuffix(s.Node("n1").Space, "-n1") + "-" + part
	p.cmd = exec.CommandContext(s.ctx, "ip", "netns", "exec", space, s.binary, "tftp", "--root", root, "--listen", addr+":69")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.kill)
	ready := make(chan struct{})
	go func() {
		lines, heard := bufio.NewScanner(said), false
		for lines.Scan() { // to its end, or it would block
			if !heard && strings.Contains(lines.Text(), "serving") {
				heard = true
				close(ready)
			}
		}
		_ = p.cmd.Wait()
		close(p.done)
	}()
	select {
	case <-ready:
	case <-p.done:
		s.t.Fatalf("surefoot tftp in %s ended: %v", part, p.cmd.ProcessState)
	}
	return p
}

// tftpServer is a process of its own, which can die.
type tftpServer struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (p *tftpServer) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// web serves files by HTTP in a part of the lab, and tells how it was asked.
func (s *stage) web(part, addr string, files map[string][]byte) *webAsked {
	s.t.Helper()
	var l net.Listener
	err := s.Inside(part, func() (err error) {
		l, err = net.Listen("tcp4", addr)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	asked := &webAsked{}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.mu.Lock()
		asked.requests = append(asked.requests, r.Clone(context.Background()))
		asked.mu.Unlock()
		content, ok := files[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	s.t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return asked
}

type webAsked struct {
	mu       sync.Mutex // guards requests
	requests []*http.Request
}

// socket opens a UDP port in a part of the lab.
func (s *stage) socket(part, addr string) *net.UDPConn {
	s.t.Helper()
	var c *net.UDPConn
	err := s.Inside(part, func() (err error) {
		c, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}
