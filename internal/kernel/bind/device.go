package bind

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// ToDevice binds a socket to the interface that has this name now, in the network namespace in
// which the socket was opened, whatever it was bound to before (SO_BINDTODEVICE, socket(7)). It
// needs CAP_NET_RAW for a socket that is bound to one already.
func ToDevice(c syscall.Conn, name string) error {
	rc, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := rc.Control(func(fd uintptr) { inner = unix.BindToDevice(int(fd), name) }); err != nil {
		return err
	}
	if inner != nil {
		return fmt.Errorf("bind a socket to interface %s: %w", name, inner)
	}
	return nil
}

// UDP opens a socket at an address that takes what comes in at one interface alone. Sockets at the same port for other
// interfaces are not in its way.
func UDP(ctx context.Context, network string, at netip.AddrPort, dev string) (*net.UDPConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var inner error
		outer := c.Control(func(fd uintptr) { inner = unix.BindToDevice(int(fd), dev) })
		return errors.Join(outer, inner)
	}}
	c, err := lc.ListenPacket(ctx, network, at.String())
	if err != nil {
		return nil, Explain(err, "udp", at, dev)
	}
	return c.(*net.UDPConn), nil
}
