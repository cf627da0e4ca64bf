// Package netns gives tests network namespaces of their own. A namespace has no name and lives as long as its
// thread and its sockets, so a test that is killed leaves nothing behind.
package netns

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Space is a network namespace that ends with its test. Its loopback interface is up.
type Space struct {
	calls chan func()
	tid   int
}

// New makes one, or skips the test of somebody who is not root.
func New(t *testing.T) *Space {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("network namespaces need root")
		}
		t.Skip("network namespaces need root")
	}
	ns := &Space{calls: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
		ns.tid = unix.Gettid()
		ready <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range ns.calls {
			f()
		}
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(ns.calls) })
	ns.Do(t, func() error { return SetUp("lo") })
	return ns
}

// Do runs f in the namespace. Sockets that it opens and processes that it starts stay there.
func (ns *Space) Do(t *testing.T, f func() error) {
	t.Helper()
	if err := ns.Try(f); err != nil {
		t.Fatal(err)
	}
}

// Try is Do for what may fail.
func (ns *Space) Try(f func() error) error {
	done := make(chan error)
	ns.calls <- func() { done <- f() }
	return <-done
}

// Run runs a program in the namespace and returns what it says.
func (ns *Space) Run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, Program(t, name), args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	ns.Do(t, cmd.Start)
	err := cmd.Wait()
	t.Logf("%s: %v\n%s", name, err, out.String())
	return out.String()
}

// Program finds a program that is not ours, or skips the test.
func Program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// Join lays a cable from an interface of one namespace to one of another; both are up then.
func Join(t *testing.T, a *Space, nameA string, b *Space, nameB string) {
	t.Helper()
	a.Do(t, func() error {
		err := netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: nameA}, PeerName: nameB, PeerNamespace: netlink.NsPid(b.tid),
		})
		if err != nil {
			return fmt.Errorf("add veth: %w", err)
		}
		return SetUp(nameA)
	})
	b.Do(t, func() error { return SetUp(nameB) })
}

// SetUp sets an interface up, of the namespace in which it is called.
func SetUp(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// AddAddr gives an interface an address.
func AddAddr(name, prefix string) error { return change(netlink.AddrAdd, name, prefix) }

// DelAddr takes an address away.
func DelAddr(name, prefix string) error { return change(netlink.AddrDel, name, prefix) }

func change(f func(netlink.Link, *netlink.Addr) error, name, prefix string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	return f(l, a)
}
