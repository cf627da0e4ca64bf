package dhcp4

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// namespace runs functions in a network namespace of its own, which ends with the test: the
// namespace has no name and lives as long as its thread and its sockets.
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
		err := unix.Unshare(unix.CLONE_NEWNET)
		ready <- err
		for f := range ns.calls {
			f()
		}
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(ns.calls) })
	ns.do(t, func() error { return setUp("lo") })
	return ns
}

// do runs f in the namespace.
func (ns *namespace) do(t *testing.T, f func() error) {
	t.Helper()
	if err := ns.try(f); err != nil {
		t.Fatal(err)
	}
}

func (ns *namespace) try(f func() error) error {
	done := make(chan error)
	ns.calls <- func() { done <- f() }
	return <-done
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

// cable is two namespaces with a cable between: eth0 of the server, eth0 of the client.
type cable struct {
	server, client *namespace
	mac            boot.MAC // of the client's interface
}

func newCable(t *testing.T) cable {
	t.Helper()
	c := cable{server: newNamespace(t), client: newNamespace(t)}
	c.plug(t)
	c.server.do(t, func() error { return address("eth0", "10.77.0.2/24") })
	return c
}

// plug makes the cable, whose server's end has no address.
func (c *cable) plug(t *testing.T) {
	t.Helper()
	c.server.do(t, func() error {
		err := netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth0",
			PeerNamespace: netlink.NsPid(c.client.tid),
		})
		if err != nil {
			return fmt.Errorf("add veth: %w", err)
		}
		return setUp("eth0")
	})
	c.client.do(t, func() error {
		if err := setUp("eth0"); err != nil {
			return err
		}
		l, err := link.ByName("eth0")
		c.mac = l.MAC
		return err
	})
}

// role is a running server.
type role struct {
	events chan boot.Event
	keeper *memory
	book   *lease.Book
	s      *Server
}

// start runs the role on the server's eth0.
func (c cable) start(t *testing.T, cfg Config) *role { return c.startWith(t, cfg, nil) }

func (c cable) startWith(t *testing.T, cfg Config, change func([]lease.Pool)) *role {
	t.Helper()
	r := &role{events: make(chan boot.Event, 1000), keeper: &memory{}, book: testBook(t, change)}
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

// clientConn opens the client's raw socket, which sees every frame to a port.
func (c cable) clientConn(t *testing.T, port uint16) *rawsock.PacketConn {
	t.Helper()
	var conn *rawsock.PacketConn
	c.client.do(t, func() error {
		l, err := link.ByName("eth0")
		if err != nil {
			return err
		}
		conn, err = rawsock.ListenPacket("eth0", l.Index, l.MAC, port)
		return err
	})
	t.Cleanup(func() { conn.Close() })
	return conn
}

// broadcast sends a packet of the client as firmware without an address does.
func (c cable) broadcast(t *testing.T, conn *rawsock.PacketConn, p *wire.Packet) {
	t.Helper()
	b, err := p.Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Write(frame.Datagram{
		SrcMAC: c.mac, DstMAC: frame.Broadcast, Payload: b,
		Src: netip.MustParseAddrPort("0.0.0.0:68"), Dst: netip.MustParseAddrPort("255.255.255.255:67"),
	}.Frame())
	if err != nil {
		t.Fatal(err)
	}
}

// await reads frames until one is wanted.
func await(t *testing.T, conn *rawsock.PacketConn, want func(frame.Datagram, *wire.Packet) bool) (frame.Datagram, *wire.Packet) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		b := make([]byte, rawsock.MaxFrame)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		d, err := frame.Parse(b[:n])
		if err != nil {
			t.Fatal(err)
		}
		p, err := wire.Decode(d.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if want(d, p) {
			return d, p
		}
	}
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
