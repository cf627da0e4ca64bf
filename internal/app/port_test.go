package app

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// freePort finds a port of 127.0.0.1 that is free for UDP and TCP, and keeps it for the test until
// its end: no other test, of this process or of another, is given it meanwhile. It lies below the
// ports that the kernel hands out by itself (net.ipv4.ip_local_port_range, 32768 and up).
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 10000 + rand.IntN(20000)
		held, err := hold(port)
		if err != nil {
			continue
		}
		if c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err == nil {
			_ = c.Close()
			t.Cleanup(func() { _ = unix.Close(held) })
			return port
		}
		_ = unix.Close(held)
	}
	t.Fatal("no free port")
	return 0
}

// hold binds a TCP socket to a port, as the only one, and lets a server listen there all the same: who
// sets SO_REUSEADDR, as every listener of Go does, may share it with a socket that has set it and does
// not listen. Set after the bind, it keeps out others who hold.
func hold(port int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// TestFreePort: a port is given to one test, which may listen on it, once and again.
func TestFreePort(t *testing.T) {
	port := freePort(t)
	for range 2 {
		if fd, err := hold(port); err == nil {
			_ = unix.Close(fd)
			t.Fatal("the port is given away twice")
		}
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		if second, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = second.Close()
			t.Error("two listen on it")
		}
		_ = l.Close()
	}
}
