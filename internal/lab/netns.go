package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

const netnsDir = "/run/netns/"

// ip runs a batch of iproute2 commands, one a line, within a namespace ("" is the machine's own).
func ip(ctx context.Context, ns, commands string) error {
	path, err := lookPath(ipProgram)
	if err != nil {
		return err
	}
	args := []string{"-batch", "-"}
	if ns != "" {
		args = append([]string{"-n", ns}, args...)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(commands)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip in namespace %q: %w: %s", ns, err, bytes.TrimSpace(out))
	}
	return nil
}

// place is a namespace together with an OS thread that lives in it. The thread starts the
// processes of the namespace: a child that asked to die with its parent (Pdeathsig) dies with
// the *thread* that made it, so that thread must not go away early, and must go away at last.
type place struct {
	name  string
	calls chan func()
	left  chan struct{}
}

// enter starts the thread of an existing namespace.
func enter(name string) (*place, error) {
	p := &place{name: name, calls: make(chan func()), left: make(chan struct{})}
	entered := make(chan error)
	var live func()
	live = func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if unix.Gettid() == os.Getpid() {
			// Not the main thread: /proc/self speaks of its namespace, and it never ends.
			go live()
			<-p.left
			return
		}
		f, err := os.Open(netnsDir + name)
		if err == nil {
			err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
			f.Close()
		}
		entered <- err
		if err != nil {
			return
		}
		for f := range p.calls {
			f()
		}
	}
	go live()
	if err := <-entered; err != nil {
		return nil, fmt.Errorf("enter network namespace %s: %w", name, err)
	}
	return p, nil
}

// do runs f in the namespace and returns its error. Sockets that f opens stay there; goroutines
// that it starts do not.
func (p *place) do(f func() error) error {
	done := make(chan error)
	p.calls <- func() { done <- f() }
	return <-done
}

// leave ends the thread, and with it every process that it started and that still runs.
func (p *place) leave() {
	close(p.calls)
	close(p.left)
}

// Inside runs f on a thread that is in a part of the lab ("sw", "dhcp", "n1", ..., "r"): sockets
// that it opens are there, wherever they are used later. f must not start goroutines that open
// more.
func (l *Lab) Inside(part string, f func() error) error {
	p := l.places[part]
	if p == nil {
		return fmt.Errorf("lab %s has no part %q", l.ID, part)
	}
	return p.do(f)
}
