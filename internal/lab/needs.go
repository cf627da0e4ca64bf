package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Programs and files of Debian packages that a lab runs.
const (
	qemuProgram    = "qemu-system-x86_64"
	dnsmasqProgram = "dnsmasq"
	relayProgram   = "dhcrelay"
	ipProgram      = "ip"

	ovmfCode = "/usr/share/OVMF/OVMF_CODE_4M.fd"
	ovmfVars = "/usr/share/OVMF/OVMF_VARS_4M.fd"
	biosROM  = "/usr/lib/ipxe/qemu/pxe-virtio.rom"
)

// packages says where each comes from.
var packages = map[string]string{
	qemuProgram: "qemu-system-x86", dnsmasqProgram: "dnsmasq-base", relayProgram: "isc-dhcp-relay",
	ipProgram: "iproute2", ovmfCode: "ovmf", ovmfVars: "ovmf", biosROM: "ipxe-qemu",
}

// NeedsError says what this machine lacks for a lab.
type NeedsError struct {
	Missing []string // programs and files
	NotRoot bool
}

func (e *NeedsError) Error() string {
	if e.NotRoot {
		return "a lab makes network namespaces, which only root may do"
	}
	return "the lab needs what is not installed: " + strings.Join(e.Missing, ", ")
}

// Hint names the command that helps.
func (e *NeedsError) Hint() []string {
	if e.NotRoot {
		return []string{"run it again with sudo"}
	}
	var names []string
	for _, m := range e.Missing {
		if p := packages[m]; p != "" {
			names = append(names, p)
		}
	}
	return []string{
		"scripts/setup installs everything that is needed",
		"or by hand: sudo apt-get install " + strings.Join(names, " "),
	}
}

// Needs reports, as a *NeedsError, what is missing to build a lab and boot machines in it.
func Needs(relay bool) error {
	if os.Geteuid() != 0 {
		return &NeedsError{NotRoot: true}
	}
	var missing []string
	programs := []string{ipProgram, dnsmasqProgram, qemuProgram}
	if relay {
		programs = append(programs, relayProgram)
	}
	for _, p := range programs {
		if _, err := lookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	for _, f := range []string{ovmfCode, ovmfVars, biosROM} {
		if _, err := os.Stat(f); err != nil {
			missing = append(missing, f)
		}
	}
	if len(missing) > 0 {
		return &NeedsError{Missing: missing}
	}
	return nil
}

// lookPath finds a program, in the administrator's folders as well: they are not in the PATH of
// everyone who may become root.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin/", "/sbin/", "/usr/local/sbin/"} {
		if path, e := exec.LookPath(dir + name); e == nil {
			return path, nil
		}
	}
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%s is not installed (package %s)", name, packages[name])
	}
	return "", fmt.Errorf("find %s: %w", name, err)
}
