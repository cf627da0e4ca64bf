package rawsock

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// IPv4Conn sends IPv4 packets whose header the caller wrote. The kernel routes them and finds
// the next hop; it receives nothing.
type IPv4Conn struct{ fd int }

// DialIPv4 opens the socket. A missing capability is a *PermissionError.
func DialIPv4() (*IPv4Conn, error) {
	// IPPROTO_RAW implies IP_HDRINCL and never receives (raw(7)).
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if err != nil {
		return nil, explain("open a raw ipv4 socket", err)
	}
	return &IPv4Conn{fd: fd}, nil
}

// Write sends one packet, IPv4 header included, towards the address in its header.
func (c *IPv4Conn) Write(packet []byte) error {
	if len(packet) < 20 {
		return fmt.Errorf("send an ipv4 packet of %d bytes", len(packet))
	}
	to := [4]byte(packet[16:20])
	// A full send buffer is EAGAIN: the packet is lost, as on a full network.
	if err := unix.Sendto(c.fd, packet, unix.MSG_DONTWAIT, &unix.SockaddrInet4{Addr: to}); err != nil {
		return fmt.Errorf("send an ipv4 packet to %s: %w", netip.AddrFrom4(to), err)
	}
	return nil
}

// Close closes the socket.
func (c *IPv4Conn) Close() error { return unix.Close(c.fd) }
