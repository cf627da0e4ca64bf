package dhcp6

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp6"
)

// namespace runs functions in a network namespace of its own, which ends with the test.
type namespace struct {
	calls chan func()
	tid   int
}

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("network namespaces need root")
		}
		t.Skip("network namespaces need root")
	}
	ns := &namespace{calls: make(chan func())}
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
	ns.do(t, func() error {
		// Nobody else is on these cables: addresses are good at once (RFC 4862 section 5.4).
		return os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644)
	})
	ns.do(t, func() error { return setUp("lo") })
	return ns
}

// do runs f in the namespace.
func (ns *namespace) do(t *testing.T, f func() error) {
	t.Helper()
	done := make(chan error)
	ns.calls <- func() { done <- f() }
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// run runs a program in the namespace and returns what it says.
func (ns *namespace) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t, name), args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	ns.do(t, cmd.Start)
	err := cmd.Wait()
	t.Logf("%s: %v\n%s", name, err, out.String())
	return out.String()
}

// program finds a real client, or skips.
func program(t *testing.T, name string) string {
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

func setUp(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

func address(name, prefix string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	return netlink.AddrAdd(l, a)
}

// join lays a cable from an interface of one namespace to one of another.
func join(t *testing.T, a *namespace, nameA string, b *namespace, nameB string) {
	t.Helper()
	a.do(t, func() error {
		err := netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: nameA}, PeerName: nameB, PeerNamespace: netlink.NsPid(b.tid),
		})
		if err != nil {
			return fmt.Errorf("add veth: %w", err)
		}
		return setUp(nameA)
	})
	b.do(t, func() error { return setUp(nameB) })
}

// cable is two namespaces with a cable between: eth0 of the server, eth0 of the client.
type cable struct {
	server, client *namespace
	mac            boot.MAC // of the client's interface
}

func newCable(t *testing.T) cable {
	t.Helper()
	c := cable{server: newNamespace(t), client: newNamespace(t)}
	join(t, c.server, "eth0", c.client, "eth0")
	c.server.do(t, func() error { return address("eth0", "fd77::2/64") })
	c.client.do(t, func() error {
		l, err := link.ByName("eth0")
		c.mac = l.MAC
		return err
	})
	return c
}

// role is a running server.
type role struct {
	events chan boot.Event
	keeper *memory
	book   *lease.Book
	s      *Server
}

// start runs the role on the server's eth0.
func (c cable) start(t *testing.T, cfg Config) *role {
	t.Helper()
	r := &role{events: make(chan boot.Event, 100_000), keeper: &memory{}, book: testBook(t, 4096)}
	var err error
	r.s, err = New(cfg, Deps{Emit: func(ev boot.Event) { r.events <- ev }, Book: r.book, Keeper: r.keeper})
	if err != nil {
		t.Fatal(err)
	}
	c.server.do(t, func() error { return r.s.Listen(t.Context()) })
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- r.s.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil after the end of its context", err)
		}
	})
	<-ready
	return r
}

// conn is the client's socket.
func (c cable) conn(t *testing.T) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	c.client.do(t, func() (err error) {
		conn, err = net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6unspecified, Port: wire.ClientPort})
		return err
	})
	t.Cleanup(func() { conn.Close() })
	return conn
}

// send sends a message to everybody, out of the client's eth0. A link that just came up has no address for a moment.
func (c cable) send(t *testing.T, conn *net.UDPConn, b []byte) {
	t.Helper()
	c.client.do(t, func() error {
		l, err := link.ByName("eth0")
		if err != nil {
			return err
		}
		zone := strconv.Itoa(l.Index) // a name would be looked up in another namespace
		for range 500 {
			_, err = conn.WriteToUDPAddrPort(b, netip.AddrPortFrom(addr("ff02::1:2").WithZone(zone), wire.ServerPort))
			if !errors.Is(err, unix.EADDRNOTAVAIL) && !errors.Is(err, unix.ENETUNREACH) {
				break
			}
			time.Sleep(10 * time.Millisecond) // nothing tells when it has one
		}
		return err
	})
}

// await reads the next answer.
func await(t *testing.T, conn *net.UDPConn) *wire.View {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 2048)
	n, from, err := conn.ReadFromUDPAddrPort(b)
	if err != nil {
		t.Fatal(err)
	}
	if from.Port() != wire.ServerPort || !from.Addr().IsLinkLocalUnicast() {
		t.Errorf("the answer is from %s", from)
	}
	v := new(wire.View)
	if err := v.Parse(b[:n]); err != nil {
		t.Fatal(err)
	}
	return v
}

// waitFor takes events until one has the kind.
func waitFor(t *testing.T, events chan boot.Event, kind boot.Kind) boot.Event {
	t.Helper()
	for {
		select {
		case ev := <-events:
			if ev.Kind == kind {
				return ev
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("no event %q", kind)
		}
	}
}
