package rawsock

import (
	"context"
	"errors"
	"net"
	"net/netip"
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
		if n := waiting(t, held.(*net.UDPConn)); n != 0 {
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
