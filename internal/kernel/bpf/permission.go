package bpf

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// PermissionError says that the process may not load or attach programs.
type PermissionError struct {
	Doing string
	Needs string // "CAP_BPF and CAP_NET_ADMIN"
	Err   error
}

func (e *PermissionError) Error() string {
	return fmt.Sprintf("%s: needs %s: %v", e.Doing, e.Needs, e.Err)
}

// Unwrap returns the system's error.
func (e *PermissionError) Unwrap() error { return e.Err }

// Hint names the ways to the capability.
func (e *PermissionError) Hint() []string {
	words := strings.ReplaceAll(e.Needs, " and ", " ")
	return []string{
		fmt.Sprintf("in the systemd unit, by `systemctl edit surefoot`: [Service] AmbientCapabilities=%[1]s, CapabilityBoundingSet=%[1]s and SystemCallFilter=bpf (docs/dsr.md)", words),
		"run it as root, or use mode: relay, which needs neither",
	}
}

// Allowed says whether this process may do all that this package does (capabilities(7)): CAP_BPF, or
// CAP_SYS_ADMIN instead, and CAP_NET_ADMIN.
func Allowed() error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return fmt.Errorf("ask for the capabilities: %w", err)
	}
	has := func(c int) bool { return data[c/32].Effective&(1<<(c%32)) != 0 }
	var needs []string
	if !has(unix.CAP_BPF) && !has(unix.CAP_SYS_ADMIN) {
		needs = append(needs, "CAP_BPF")
	}
	if !has(unix.CAP_NET_ADMIN) {
		needs = append(needs, "CAP_NET_ADMIN")
	}
	if len(needs) == 0 {
		return nil
	}
	return &PermissionError{Doing: "let the kernel balance packets", Needs: strings.Join(needs, " and "), Err: unix.EPERM}
}

// explain says what was being done, and what it lacks.
func explain(doing string, err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		if missing := Allowed(); missing != nil {
			var p *PermissionError
			if errors.As(missing, &p) {
				return &PermissionError{Doing: doing, Needs: p.Needs, Err: err}
			}
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
