// Package bind explains why a socket could not be opened: who holds the port, which capability
// is missing, which address does not exist; and binds sockets to interfaces. It opens nothing itself.
package bind

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Error is a failed listen with its cause and the remedy.
type Error struct {
	Network string         // "udp", "tcp"
	At      netip.AddrPort // what was asked for
	Dev     string         // the interface it was bound to, "" if none
	Holder  string         // who holds the port, "" if nobody or not known
	Err     error
	hints   []string
}

func (e *Error) Error() string {
	s := fmt.Sprintf("listen %s %s", e.Network, e.At)
	if e.Dev != "" {
		s += " on " + e.Dev
	}
	if e.Holder != "" {
		return s + ": address already in use, held by " + e.Holder
	}
	return s + ": " + cause(e.Err).Error()
}

// Ours reports whether this process itself holds the port.
func (e *Error) Ours() bool {
	return e.Holder != "" && strings.HasSuffix(e.Holder, fmt.Sprintf("(pid %d)", os.Getpid()))
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *Error) Hint() []string { return e.hints }

// Explain returns err with everything that helps: the holder of a taken port, the capability
// that is missing. dev is the interface that the socket was bound to, "" if none.
func Explain(err error, network string, at netip.AddrPort, dev string) error {
	if err == nil {
		return nil
	}
	e := &Error{Network: network, At: at, Dev: dev, Err: err}
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		e.Holder = Holder(network, at.Port())
		if e.Holder != "" {
			e.hints = append(e.hints, fmt.Sprintf("stop %s, or give this role another address or port", e.Holder))
		} else {
			e.hints = append(e.hints, fmt.Sprintf("ss -lpn 'sport = :%d' shows who holds the port (as root)", at.Port()))
		}
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		need := "CAP_NET_BIND_SERVICE"
		if dev != "" {
			need = "CAP_NET_RAW"
		}
		e.hints = append(e.hints, CapabilityHint(need)...)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		e.hints = append(e.hints, fmt.Sprintf("no interface of this machine has the address %s (ip -br address)", at.Addr()))
	}
	return e
}

// CapabilityHint says how a process gets a capability that it lacks.
func CapabilityHint(name string) []string {
	return []string{
		"needs " + name + ": run it as root, or in the systemd unit write AmbientCapabilities=" + name,
	}
}

// cause strips the wrapping of the net package, whose text repeats the address.
func cause(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
