package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"surefoot/internal/lab"
)

// stage is the lab of one scenario, with what was recorded in it.
type stage struct {
	*lab.Lab
	t       *testing.T
	ctx     context.Context
	binary  string
	capture *lab.Capture

	mu     sync.Mutex // guards what follows
	frames []lab.Frame
	filter func(lab.UDP) bool // nil: every frame is kept
}

// labsDir is where e2e's labs are: apart from those that `surefoot lab` shows and takes down.
const labsDir = "/run/surefoot-e2e"

// patience is how long one scenario may take, by the wall clock.
const patience = 60 * time.Second

// raise builds the lab of a scenario, starts its nodes and records everything until the test
// ends. What a failed test left to look at is kept.
func (b *bench) raise(t *testing.T, o lab.Options) *stage {
	t.Helper()
	s := b.build(t, o)
	for _, n := range s.Nodes {
		if err := s.Node(n.Name).Start(s.ctx); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// build is raise without starting the nodes.
func (b *bench) build(t *testing.T, o lab.Options) *stage {
	t.Helper()
	limit := patience
	if realTime() {
		limit *= 4
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	o.Binary, o.Dir = b.binary, labsDir
	l, err := lab.Up(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{Lab: l, t: t, ctx: ctx, binary: b.binary}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("take the lab down: %v", err)
		}
	})
	s.capture, err = l.Capture(filepath.Join(l.Dir, "capture.pcap"), o.Relay)
	if err != nil {
		t.Fatal(err)
	}
	s.capture.Watch(func(f lab.Frame) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if u, ok := f.UDP(); s.filter == nil || ok && s.filter(u) {
			s.frames = append(s.frames, f)
		}
	})
	t.Cleanup(func() {
		if err := s.capture.Close(); err != nil {
			t.Errorf("end the capture: %v", err)
		}
		if t.Failed() {
			s.keep()
		}
	})
	return s
}

// keep copies what the lab's folder holds to testdata/out/SCENARIO/, before the lab goes.
func (s *stage) keep() {
	_, name, _ := strings.Cut(s.t.Name(), "/")
	to := filepath.Join("testdata", "out", filepath.FromSlash(name))
	err := errors.Join(os.RemoveAll(to), os.MkdirAll(to, 0o755))
	files, globErr := filepath.Glob(filepath.Join(s.Dir, "*"))
	err = errors.Join(err, globErr)
	for _, f := range files {
		if st, e := os.Stat(f); e != nil || !st.Mode().IsRegular() || strings.HasSuffix(f, ".fd") {
			continue
		}
		b, e := os.ReadFile(f)
		err = errors.Join(err, e, os.WriteFile(filepath.Join(to, filepath.Base(f)), b, 0o644))
	}
	if err != nil {
		s.t.Logf("keep what the scenario left: %v", err)
	}
	abs, _ := filepath.Abs(to)
	s.t.Logf("capture, serial logs, node logs and site files are in %s", abs)
}

// datagrams returns the UDP datagrams seen so far for which keep holds.
func (s *stage) datagrams(keep func(lab.UDP) bool) []lab.UDP {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []lab.UDP
	for _, f := range s.frames {
		if u, ok := f.UDP(); ok && !s.between(u) && keep(u) {
			out = append(out, u)
		}
	}
	return out
}

// boot switches a machine on and waits for the test bootstrap's report; anything but a good
// report fails the test.
func (s *stage) boot(m lab.Machine) (lab.Report, *lab.VM) {
	s.t.Helper()
	vm, err := s.Boot(s.ctx, m)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := vm.AwaitReport(s.ctx)
	if err != nil {
		s.t.Fatalf("%s: %v", m.Firmware, err)
	}
	if !r.OK {
		s.t.Fatalf("%s: the bootstrap reports: %s", m.Firmware, r.Line)
	}
	s.t.Logf("%s: after %.2f s: %s", m.Firmware, r.At.Seconds(), r.Line)
	if err := vm.Stop(); err != nil {
		s.t.Error(err)
	}
	return r, vm
}

// run runs a surefoot command and returns what it printed and its exit code.
func (s *stage) run(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(s.ctx, s.binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("surefoot %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// want fails the test unless text holds every one of the words.
func want(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s: no %q in:\n%s", what, w, strings.TrimSpace(text))
		}
	}
}

// realTime reports whether machines also run with clocks that go right.
func realTime() bool { return os.Getenv("E2E_REALTIME") != "" }
