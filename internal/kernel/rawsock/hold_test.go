package rawsock

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/kernel/bind"
)

// TestHold: while a port is held, nobody is told that nobody listens, nobody else gets the port, and
// nothing of what arrives is kept.
func TestHold(t *testing.T) {
	onThread(t, func(t *testing.T) {
		pair(t)
		client, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 67})
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		if !refused(t, client) {
			t.Error("a port that nobody holds gives no port unreachable: the test is wrong")
		}
		held, err := Hold(context.Background(), 67, "lo")
		if err != nil {
			t.Error(err)
			return
		}
		if refused(t, client) {
			t.Error("a port that is held gives port unreachable")
		}
		if n := waiting(t, held.c); n != 0 {
			t.Errorf("%d bytes wait in a socket that nobody reads", n)
		}
		_, err = Hold(context.Background(), 67, "lo")
		var e *bind.Error
		if !errors.As(err, &e) || e.At != netip.MustParseAddrPort("0.0.0.0:67") || e.Dev != "lo" || !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("held twice: %v", err)
		}
		other, err := Hold(context.Background(), 67, "a")
		if err != nil {
			t.Errorf("the port on another interface: %v", err)
		} else {
			_ = other.Close()
		}
		if err := held.Close(); err != nil {
			t.Error(err)
		}
		if !refused(t, client) {
			t.Error("the port is still held after Close")
		}
		if _, err = Hold(context.Background(), 67, "nope"); !errors.Is(err, unix.ENODEV) {
			t.Errorf("the port of an interface that is not there: %v", err)
		}
	})
}

// refused sends a datagram and reports whether the answer is an ICMP error: on the loopback it is
// there when the send returns.
func refused(t *testing.T, c *net.UDPConn) bool {
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Error(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, unix.ECONNREFUSED)
}

// waiting returns how many bytes of datagrams a socket holds.
func waiting(t *testing.T, c *net.UDPConn) int {
	rc, err := c.SyscallConn()
	if err != nil {
		t.Error(err)
		return -1
	}
	n := -1
	_ = rc.Control(func(fd uintptr) {
		if n, err = unix.IoctlGetInt(int(fd), unix.SIOCINQ); err != nil {
			t.Error(err)
		}
	})
	return n
}

// TestHeldBatch: datagrams leave from the port that is held and from the address that each names, also more of them
// than one system call takes, and one without a route does not stop those behind it.
func TestHeldBatch(t *testing.T) {
	onThread(t, func(t *testing.T) {
		pair(t)
		receiver, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 1067})
		if err != nil {
			t.Error(err)
			return
		}
		defer receiver.Close()
		held, err := Hold(context.Background(), 67, "")
		if err != nil {
			t.Error(err)
			return
		}
		defer held.Close()
		const total, lost = 2*MaxBatch + 7, MaxBatch + 3
		var payloads [][]byte
		var ways []Way
		for i := range total {
			w := Way{Src: netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}), Dst: netip.MustParseAddrPort("127.0.0.2:1067")}
			if i == lost {
				w.Dst = netip.MustParseAddrPort("203.0.113.1:67")
			}
			payloads, ways = append(payloads, []byte{byte(i), 'x'}), append(ways, w)
		}
		n, err := held.WriteBatch(NewSender(), payloads, ways)
		if n != total-1 || err == nil || !strings.Contains(err.Error(), "203.0.113.1:67") {
			t.Errorf("WriteBatch = %d, %v", n, err)
		}
		_ = receiver.SetReadDeadline(time.Now().Add(5 * time.Second))
		for i := range total {
			if i == lost {
				continue
			}
			b := make([]byte, 100)
			n, from, err := receiver.ReadFromUDPAddrPort(b)
			if want := netip.AddrPortFrom(ways[i].Src, 67); err != nil || n != 2 || b[0] != byte(i) || from != want {
				t.Errorf("received %q from %s, %v; want number %d from %s", b[:n], from, err, i, want)
				return
			}
		}
		if n, err := held.WriteBatch(NewSender(), [][]byte{nil}, ways[:1]); n != 0 || err == nil {
			t.Errorf("a datagram of nothing: %d, %v", n, err)
		}
	})
}
