package tftp

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	wire "surefoot/internal/wire/tftp"
)

// perIdle is how many bytes of heap a transfer may hold that waits for its client.
const perIdle = 20 << 10

// idlers have a server begin transfers, acknowledge something once, and fall silent.
type idlers struct {
	s   *site
	fds []int
}

// add brings n clients, ten from each address, so that none is at the limit of its address, and returns when each has
// got what follows its first ACK.
func (d *idlers) add(n int, ask []byte) {
	d.s.t.Helper()
	to := sockaddrOf(d.s.srv.Addr())
	buf := make([]byte, 70000)
	for i := range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			d.s.t.Fatal(err)
		}
		d.fds = append(d.fds, fd)
		_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10})
		a := i / 10
		if err := bindTo(fd, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 9, byte(a >> 8), byte(a)}), 0)); err != nil {
			d.s.t.Fatal(err)
		}
		if err := sendTo(fd, ask, &to); err != nil {
			d.s.t.Fatal(err)
		}
		var tid sockaddr
		got := func() wire.Packet {
			k, err := recvFromBlocking(fd, buf, &tid)
			if err != nil {
				d.s.t.Fatalf("client %d: %v", i, err)
			}
			p, err := wire.ParsePacket(buf[:k])
			if err != nil {
				d.s.t.Fatalf("client %d: %v", i, err)
			}
			return p
		}
		if p := got(); p.Op != wire.OpOACK {
			d.s.t.Fatalf("client %d: %s %q where an OACK belongs", i, p.Op, p.Message)
		}
		if err := sendTo(fd, ackOf(0), &tid); err != nil {
			d.s.t.Fatal(err)
		}
		for p := got(); p.Op != wire.OpDATA; p = got() { // an OACK again
		}
	}
}

// recvFromBlocking waits, unlike recvFrom.
func recvFromBlocking(fd int, b []byte, from *sockaddr) (int, error) {
	n, sa, err := unix.Recvfrom(fd, b, 0)
	for errors.Is(err, unix.EINTR) { // by a signal of Go's scheduler
		n, sa, err = unix.Recvfrom(fd, b, 0)
	}
	if four, ok := sa.(*unix.SockaddrInet4); ok {
		*from = sockaddrOf(netip.AddrPortFrom(netip.AddrFrom4(four.Addr), uint16(four.Port)))
	}
	return n, err
}

func (d *idlers) close() {
	for _, fd := range d.fds {
		_ = unix.Close(fd)
	}
}

// heap is what this process holds: the server, and of the test a few numbers a client.
func (d *idlers) heap() uint64 {
	d.s.mu.Lock()
	d.s.events = nil
	d.s.mu.Unlock()
	runtime.GC()
	runtime.GC() // what pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// Thousands of machines that fell silent are cheap: what a transfer holds is bounded, whatever it is
// sent from.
func TestMemoryOfWaitingTransfers(t *testing.T) {
	const n = 1000
	f := func(name string, ask []byte, change func(*Config)) {
		t.Run(name, func(t *testing.T) {
			s := start(t, "", func(c *Config) {
				c.Limits = Limits{Transfers: 2 * n, PerClient: 100}
				if change != nil {
					change(c)
				}
			})
			s.write("f", bytes.Repeat([]byte("a line of text\n"), 1<<12))
			d := &idlers{s: s}
			defer d.close()
			d.add(10, ask) // what is made once
			before := d.heap()
			d.add(n, ask)
			after := d.heap()
			if have := s.srv.running.count(); have != n+10 {
				t.Errorf("%d transfers run, want %d", have, n+10)
			}
			each := (int64(after) - int64(before)) / n
			t.Logf("%d bytes of heap for each transfer", each)
			if each > perIdle {
				t.Errorf("%d bytes of heap for each waiting transfer, at most %d are expected", each, perIdle)
			}
			if each < 200 {
				t.Errorf("%d bytes: the measurement is wrong", each)
			}
		})
	}
	blocks := func(size, window int) []wire.Option {
		return []wire.Option{{Name: "blksize", Value: fmt.Sprint(size)}, {Name: "windowsize", Value: fmt.Sprint(window)}}
	}
	uncached := func(c *Config) { c.CacheBytes = -1 }
	netascii := wire.AppendRequest(nil, wire.Request{Op: wire.OpRRQ, File: "f", Mode: "netascii", Options: blocks(1456, 2)}) // repetitions are translated anew, slowly with -race
	f("lock-step", rrq("f", blocks(1456, 1)...), nil)
	f("windows", rrq("f", blocks(1456, 64)...), nil)
	f("single-port", rrq("f", blocks(1456, 1)...), func(c *Config) { c.Ports = Ports{Single: true} })
	f("from the disk", rrq("f", blocks(1456, 64)...), uncached)
	f("netascii from the disk", netascii, uncached)
}

// What is read ahead of a slow disk is bounded for all transfers together.
func TestAhead(t *testing.T) {
	f := func(transfers, need, want int) {
		t.Helper()
		if got := ahead(transfers, need); got != want {
			t.Errorf("%d transfers, %d bytes to send: %d read, want %d", transfers, need, got, want)
		}
	}
	f(0, 1456, chunk)
	f(1, 1456, chunk)
	f(256, 1456, chunk)
	f(1024, 1456, 64<<10)
	f(10_000, 1456, aheadInAll/10_000)
	f(10_000, 48_000, 48_000) // a window has to fit
	f(1, chunk+1, chunk+1)
}
