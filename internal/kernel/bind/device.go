package bind

import (
	"fmt"
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
