package rawsock

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// PermissionError says that the process may not open raw sockets.
type PermissionError struct {
	Doing string // "open a packet socket on eth1"
	Err   error
}

func (e *PermissionError) Error() string {
	return fmt.Sprintf("%s: needs CAP_NET_RAW: %v", e.Doing, rootCause(e.Err))
}

// Unwrap returns the system's error.
func (e *PermissionError) Unwrap() error { return e.Err }

// Hint names the ways to the capability.
func (e *PermissionError) Hint() []string {
	return []string{
		"run it as root, or give the program the capabilities: setcap cap_net_raw,cap_net_bind_service+ep /usr/bin/surefoot",
		"in a systemd unit: AmbientCapabilities=CAP_NET_RAW CAP_NET_BIND_SERVICE",
	}
}

// explain turns a refusal into a PermissionError and adds to other errors what was being done.
func explain(doing string, err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return &PermissionError{Doing: doing, Err: err}
	}
	return fmt.Errorf("%s: %w", doing, rootCause(err))
}

// rootCause strips the wrapping of the net package, whose text repeats the address.
func rootCause(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
