package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// guest is a machine whose console the scenario types at, beside those that the lab boots.
type guest struct {
	t       *testing.T
	ctx     context.Context
	dir     string
	keys    io.Writer
	monitor string // path of QEMU's monitor

	end func() // switches it off

	mu   sync.Mutex // guards what follows
	said bytes.Buffer
	seen int           // bytes that await has matched past
	more chan struct{} // closed and replaced when something is said
}

// guest switches a machine on, with a network card on the lab's network and 256 MB unless args
// say otherwise.
func (s *stage) guest(name string, args ...string) *guest {
	s.t.Helper()
	return s.outlet().guest(name, args...)
}

// outlet is on the lab's network, beside the servers.
func (s *stage) outlet() *outlet {
	return &outlet{s.t, s.ctx, s.Dir, strings.TrimSuffix(s.Node("n1").Space, "-n1") + "-sw", "br0"}
}

// outlet is where a guest's network card is plugged in.
type outlet struct {
	t             *testing.T
	ctx           context.Context
	dir           string // for what it leaves behind
	space, bridge string
}

func (s *outlet) guest(name string, args ...string) *guest {
	s.t.Helper()
	space, tap := s.space, "tapguest"
	ip := exec.CommandContext(s.ctx, "ip", "-n", space, "-batch", "-")
	ip.Stdin = strings.NewReader(fmt.Sprintf("tuntap add %[1]s mode tap\nlink set %[1]s master %[2]s up\n", tap, s.bridge))
	if out, err := ip.CombinedOutput(); err != nil {
		s.t.Fatalf("network card: %v: %s", err, out)
	}
	g := &guest{t: s.t, ctx: s.ctx, dir: s.dir, monitor: filepath.Join(s.dir, name+".monitor"), more: make(chan struct{})}
	line := append([]string{
		"netns", "exec", space, "qemu-system-x86_64", "-m", "256", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-serial", "stdio", "-monitor", "unix:" + g.monitor + ",server,nowait",
		"-netdev", "tap,id=n0,script=no,downscript=no,ifname=" + tap,
	}, args...)
	cmd := exec.CommandContext(s.ctx, "ip", line...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdout, cmd.Stderr = g, g
	keys, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	g.keys = keys
	g.end = sync.OnceFunc(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		_ = exec.Command("ip", "-n", space, "link", "del", tap).Run()
	})
	s.t.Cleanup(func() {
		g.end()
		if s.t.Failed() {
			s.t.Logf("%s said:\n%s", name, g.text())
		}
	})
	return g
}

func (g *guest) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.said.Write(b)
	close(g.more)
	g.more = make(chan struct{})
	return len(b), nil
}

func (g *guest) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.said.String()
}

// await waits until the machine has said something that matches, after what was awaited before.
func (g *guest) await(pattern string) []string {
	g.t.Helper()
	re := regexp.MustCompile(pattern)
	for {
		g.mu.Lock()
		text, more := g.said.String()[g.seen:], g.more
		if at := re.FindStringIndex(text); at != nil {
			g.seen += at[1]
			g.mu.Unlock()
			return re.FindStringSubmatch(text)
		}
		g.mu.Unlock()
		select {
		case <-more:
		case <-g.ctx.Done():
			g.t.Fatalf("the machine never said %q", pattern)
		}
	}
}

// types sends a line and waits for what follows.
func (g *guest) types(line, then string) []string {
	g.t.Helper()
	if _, err := io.WriteString(g.keys, line+"\n"); err != nil {
		g.t.Fatal(err)
	}
	return g.await(then)
}

// holds reports whether a content lies in the machine's memory in one piece. The machine stops for it.
func (g *guest) holds(t *testing.T, content []byte) bool {
	t.Helper()
	c, err := net.Dial("unix", g.monitor)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	dump := filepath.Join(g.dir, "memory")
	defer os.Remove(dump)
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(c, "stop\npmemsave 0 %d %q\nquit\n", 256<<20, dump)
	_, _ = io.Copy(io.Discard, c) // until it has quit
	b, err := os.ReadFile(dump)
	if err != nil || len(b) != 256<<20 {
		t.Fatalf("memory of the machine: %d bytes, %v", len(b), err)
	}
	return bytes.Contains(b, content)
}
