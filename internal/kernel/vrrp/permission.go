package vrrp

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// PermissionError says that the process may not keep service addresses.
type PermissionError struct {
	Doing string // "open a VRRP socket on eth1"
	Needs string // "CAP_NET_RAW"
	Err   error
}

func (e *PermissionError) Error() string {
	return fmt.Sprintf("%s: needs %s: %v", e.Doing, e.Needs, e.Err)
}

// Unwrap returns the system's error.
func (e *PermissionError) Unwrap() error { return e.Err }

// Hint names the ways to the capability.
func (e *PermissionError) Hint() []string {
	return []string{
		"in the systemd unit, by `systemctl edit surefoot`: [Service] AmbientCapabilities=CAP_NET_ADMIN and CapabilityBoundingSet=CAP_NET_ADMIN (docs/vip.md)",
		"run it as root, or give the program the capabilities: setcap cap_net_admin,cap_net_raw,cap_net_bind_service+ep /usr/bin/surefoot",
	}
}

// Allowed says whether this process may do all that this package does (capabilities(7)).
func Allowed() error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return fmt.Errorf("ask for the capabilities: %w", err)
	}
	switch has := data[0].Effective; {
	case has&(1<<unix.CAP_NET_ADMIN) == 0:
		return &PermissionError{Doing: "put a service address on an interface", Needs: "CAP_NET_ADMIN", Err: unix.EPERM}
	case has&(1<<unix.CAP_NET_RAW) == 0:
		return &PermissionError{Doing: "open a VRRP socket", Needs: "CAP_NET_RAW", Err: unix.EPERM}
	}
	return nil
}

// explain says what was being done, and which capability is missing.
func explain(doing, needs string, err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		err = errno // without the wrapping, whose text repeats the address
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return &PermissionError{Doing: doing, Needs: needs, Err: err}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
