package storm

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/files"
	"surefoot/internal/probe"
	"surefoot/internal/serve/tftp"
)

// TestMain is our own server where the environment says so: a transfer's socket is made when it
// begins, so the whole process has to be in a test's network namespace.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SUREFOOT_STORM_SERVE"); dir != "" {
		serve(dir, os.Getenv("SUREFOOT_STORM_AT"))
		return
	}
	os.Exit(m.Run())
}

// serve serves a folder until its input ends, and says its address first.
func serve(dir, at string) {
	root, err := files.Open(dir, files.Options{})
	if err != nil {
		panic(err)
	}
	s, err := tftp.New(tftp.Config{Listen: netip.MustParseAddrPort(at), Files: root, Limits: tftp.Limits{Transfers: 8000}, DrainTimeout: time.Millisecond}, tftp.Deps{})
	if err == nil {
		err = s.Listen(context.Background())
	}
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := s.Run(ctx, func() { fmt.Println(s.Addr()) }); err != nil {
		panic(err)
	}
}

// require skips a test on a machine that lacks something, unless nothing may be skipped.
func require(t testing.TB, ok bool, what string) {
	t.Helper()
	if ok {
		return
	}
	if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// site is a network namespace of its own, so that no packet of another program's transfers comes to
// a port that a client just got. Somebody who is not root has the machine's loopback interface.
type site struct {
	t   testing.TB
	ns  string // "": none
	dir string // what the servers serve
}

const (
	fileSize  = 100_003
	smallSize = 1432 * 3 // fills iPXE's blocks
)

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t}
	if os.Geteuid() == 0 {
		s.ns = fmt.Sprintf("sf-storm-%d-%s", os.Getpid(), strings.ToLower(strings.NewReplacer("Test", "", "Benchmark", "").Replace(t.Name())))
		out, err := exec.Command("ip", "netns", "add", s.ns).CombinedOutput()
		require(t, err == nil, fmt.Sprintf("needs network namespaces: %s", out))
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", s.ns).Run() })
		for _, args := range [][]string{
			{"link", "set", "lo", "up"},
			{"address", "add", "10.254.254.1/32", "dev", "lo"}, // tftpd-hpa takes no IPv4 address where there are only 127.0.0.0/8
		} {
			if out, err := exec.Command("ip", append([]string{"-n", s.ns}, args...)...).CombinedOutput(); err != nil {
				t.Fatalf("%s", out)
			}
		}
	}
	dir, err := os.MkdirTemp("/tmp", "sf-storm-") // readable for the servers' users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz!"), fileSize/37+1)[:fileSize]
	for name, content := range map[string][]byte{"f": b, "small": b[:smallSize], "empty": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	return s
}

// command is a program in the namespace that ends with the test.
func (s *site) command(name string, args ...string) *exec.Cmd {
	if s.ns != "" {
		name, args = "ip", append([]string{"netns", "exec", s.ns, name}, args...)
	}
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.t.Cleanup(func() { end(cmd) })
	return cmd
}

func end(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}
}

// own starts our server and returns where it is.
func (s *site) own(at string) (netip.AddrPort, *exec.Cmd) {
	s.t.Helper()
	cmd := s.command(os.Args[0])
	cmd.Env = append(os.Environ(), "SUREFOOT_STORM_SERVE="+s.dir, "SUREFOOT_STORM_AT="+at)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // ends with this process
		s.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	addr, err := netip.ParseAddrPort(strings.TrimSpace(line))
	if err != nil {
		s.t.Fatal(err)
	}
	return addr, cmd
}

// within runs f on a thread that is in the namespace and ends with it.
func (s *site) within(f func()) {
	s.t.Helper()
	if s.ns == "" {
		f()
		return
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		fd, err := unix.Open("/run/netns/"+s.ns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			_ = unix.Close(fd)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		s.t.Fatalf("enter namespace %s: %v", s.ns, err)
	}
}

func (s *site) storm(ctx context.Context, cfg Config) (res *Result, err error) {
	s.t.Helper()
	if cfg.File == "" {
		cfg.File = "f"
	}
	s.within(func() { res, err = Run(ctx, cfg) })
	return res, err
}

// good is a storm in which every download succeeds.
func (s *site) good(cfg Config) *Result {
	s.t.Helper()
	res, err := s.storm(s.t.Context(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	if want := max(cfg.Downloads, cfg.Clients); res.Failed != 0 || res.Done != want && cfg.Duration == 0 || res.Unfinished != 0 || res.Done == 0 {
		s.t.Errorf("%v, %d clients: %d done, %d failed, %d unfinished: %+v", cfg.As, cfg.Clients, res.Done, res.Failed, res.Unfinished, res.Failures)
	}
	return res
}

// up waits until a server answers at all.
func (s *site) up(server netip.AddrPort) {
	s.t.Helper()
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err = s.storm(s.t.Context(), Config{Server: server, File: "small", Clients: 1, As: []probe.Style{probe.PXELINUX}}); err == nil {
			return
		}
	}
	s.t.Fatalf("the server did not come up: %v", err)
}
