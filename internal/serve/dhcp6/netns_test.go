package dhcp6

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
	"surefoot/internal/lease"
	"surefoot/internal/testkit/netns"
	wire "surefoot/internal/wire/dhcp6"
)

// namespace is one in which addresses are good at once.
type namespace struct{ *netns.Space }

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	ns := &namespace{netns.New(t)}
	ns.do(t, func() error {
		// Nobody else is on these cables: addresses are good at once (RFC 4862 section 5.4).
		return os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644)
	})
	return ns
}

func (ns *namespace) do(t *testing.T, f func() error) {
	t.Helper()
	ns.Do(t, f)
}

func (ns *namespace) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	return ns.Run(t, name, args...)
}

// join lays a cable from an interface of one namespace to one of another.
func join(t *testing.T, a *namespace, nameA string, b *namespace, nameB string) {
	t.Helper()
	netns.Join(t, a.Space, nameA, b.Space, nameB)
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
	c.server.do(t, func() error { return netns.AddAddr("eth0", "fd77::2/64") })
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
	return c.startOn(t, cfg, testBook(t, 4096), nil)
}

// startOn is the same with a Book, and a store that nodes share.
func (c cable) startOn(t *testing.T, cfg Config, book *lease.Book, shared Shared) *role {
	t.Helper()
	r := &role{events: make(chan boot.Event, 100_000), keeper: &memory{}, book: book}
	var err error
	r.s, err = New(cfg, Deps{Emit: func(ev boot.Event) { r.events <- ev }, Book: r.book, Keeper: r.keeper, Shared: shared})
	if err != nil {
		t.Fatal(err)
	}
	c.server.do(t, func() error {
		for range 500 { // an address of a link that just came up is not good at once, and nothing tells when it is
			if list, err := link.Addrs6("eth0"); err != nil || (Link{Addrs: list}).within(prefix("fd77::/64")) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		return r.s.Listen(t.Context())
	})
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
