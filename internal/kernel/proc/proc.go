// Package proc reads, and where it is told to sets, what the kernel says in /proc of the network
// namespace that the calling thread is in: its settings (sysctl(8)) and some of its counters.
package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Setting returns a setting of the kernel, as in net.ipv4.ip_forward; ok is false where the kernel has none of that
// name, or does not let this process read it. The dots of an interface's name are written as in sysctl(8): as slashes.
func Setting(name string) (value string, ok bool) {
	b, err := os.ReadFile(path(name))
	return strings.TrimSpace(string(b)), err == nil
}

// Number is Setting as a number, 0 where there is none.
func Number(name string) int {
	v, _ := Setting(name)
	n, _ := strconv.Atoi(v)
	return n
}

// OfInterface is the name of a setting of one interface, "all" or "default", as in net.ipv4.conf.eth0.rp_filter.
func OfInterface(iface, name string) string {
	return "net.ipv4.conf." + strings.ReplaceAll(iface, ".", "/") + "." + name
}

// PermissionError says that the process may not change the kernel's settings.
type PermissionError struct {
	Doing string
	Err   error
}

func (e *PermissionError) Error() string {
	return fmt.Sprintf("%s: needs root, or CAP_NET_ADMIN in a network namespace of one's own: %v", e.Doing, e.Err)
}

// Unwrap returns the system's error.
func (e *PermissionError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *PermissionError) Hint() []string { return []string{"run it as root"} }

// Set changes a setting, and returns what it was.
func Set(name, value string) (was string, err error) {
	was, ok := Setting(name)
	if !ok {
		return "", fmt.Errorf("the kernel has no setting %s", name)
	}
	if was == value {
		return was, nil
	}
	if err := os.WriteFile(path(name), []byte(value), 0); err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		doing := fmt.Sprintf("set %s to %s", name, value)
		if errors.Is(err, os.ErrPermission) {
			return was, &PermissionError{Doing: doing, Err: err}
		}
		return was, fmt.Errorf("%s: %w", doing, err)
	}
	return was, nil
}

func path(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(p, "/", ".")
	}
	return filepath.Join("/proc/sys", filepath.Join(parts...))
}
