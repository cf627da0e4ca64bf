package e2e

import (
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"surefoot/internal/bdm/efi"
)

// medium is what a machine with UEFI firmware boots from: a disk with our program and its settings,
// which the emulator makes of a folder.
type medium struct {
	program  []byte   // nil: as it is committed
	settings []string // lines beside those that every medium has
	text     string   // the whole text of the settings, instead
}

const (
	mediumID      = "0123456789abcdef0123456789abcdef"
	mediumVersion = "9.8.7"
)

// sealed is the settings' text form: sum and padding behind the lines.
func sealed(lines string) string {
	text := lines + fmt.Sprintf("crc %08x\n", crc32.ChecksumIEEE([]byte(lines)))
	return text + strings.Repeat("\n", 4096-len(text))
}

func (m medium) folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	boot := filepath.Join(dir, "EFI", "BOOT")
	if err := os.MkdirAll(boot, 0o755); err != nil {
		t.Fatal(err)
	}
	program := m.program
	if program == nil {
		program = efi.Program()
	}
	text := m.text
	if text == "" {
		text = sealed("surefoot-bdm 1\nid " + mediumID + "\nversion " + mediumVersion + "\nsite e2e\n" + strings.Join(m.settings, "\n") + "\n")
	}
	for path, content := range map[string]string{filepath.Join(boot, "BOOTX64.EFI"): string(program), filepath.Join(dir, "SUREFOOT.CFG"): text} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// firmware is a build of OVMF with the variables that its machine begins with.
type firmware struct {
	code, vars string
	machine    string
}

func plainOVMF() firmware {
	return firmware{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd", "q35,accel=tcg,usb=off"}
}

// mediumMachine is a machine that boots from a medium.
type mediumMachine struct {
	*guest
	begun time.Time
}

const mediumMAC, mediumUUID = "52:54:00:77:09:01", "50f00700-1ab0-4000-8000-525400770901"

// insert switches a machine on that boots from a medium. Its clock is right where the scenario wants it.
func (s *stage) insert(m medium, f firmware, right bool, more ...string) *mediumMachine {
	s.t.Helper()
	return s.insertCard(ownDriver, m, f, right, more...)
}

// ownDriver is the card for which OVMF has a driver; others bring theirs in their ROM.
const ownDriver = "virtio-net-pci,romfile="

func (s *stage) insertCard(card string, m medium, f firmware, right bool, more ...string) *mediumMachine {
	s.t.Helper()
	return s.outlet().insert(m, card, mediumMAC, f, right, more...)
}

func (s *outlet) insert(m medium, card, mac string, f firmware, right bool, more ...string) *mediumMachine {
	s.t.Helper()
	vars, err := os.ReadFile(f.vars)
	if err != nil {
		s.t.Fatal(err)
	}
	own := filepath.Join(s.t.TempDir(), "vars.fd")
	if err := os.WriteFile(own, vars, 0o600); err != nil {
		s.t.Fatal(err)
	}
	args := []string{
		"-machine", f.machine, "-uuid", mediumUUID,
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + f.code,
		"-drive", "if=pflash,unit=1,format=raw,file=" + own,
		"-drive", "if=none,id=medium,format=raw,file=fat:rw:" + m.folder(s.t),
		"-device", "virtio-blk-pci,drive=medium,bootindex=0",
		"-device", card + ",netdev=n0,addr=8.0,mac=" + mac,
	}
	if !right {
		args = append(args, "-icount", "shift=5,sleep=off")
	}
	begun := time.Now()
	return &mediumMachine{s.guest("medium", append(args, more...)...), begun}
}

var escapeSequence = regexp.MustCompile(`\x1b\[[0-9;=?]*[A-Za-z]`)

// says waits for lines of our program in this order, and returns the groups of the last one.
func (m *mediumMachine) says(patterns ...string) (groups []string) {
	m.t.Helper()
	for _, p := range patterns {
		groups = m.await(p)
	}
	return groups
}

// monitorSays sends commands to the machine's monitor.
func (m *mediumMachine) monitorSays(lines ...string) {
	m.t.Helper()
	var c net.Conn
	for c == nil {
		var err error
		if c, err = net.Dial("unix", m.monitor); err != nil && m.ctx.Err() != nil {
			m.t.Fatal(err)
		}
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(c, "%s\nquit_monitor\n", strings.Join(lines, "\n"))
	if _, err := readUntil(c, "unknown command: 'quit_monitor'"); err != nil {
		m.t.Fatalf("monitor: %v", err)
	}
}

// readUntil reads until something was said.
func readUntil(r io.Reader, what string) (string, error) {
	var said strings.Builder
	buf := make([]byte, 1024)
	for !strings.Contains(said.String(), what) {
		n, err := r.Read(buf)
		said.Write(buf[:n])
		if err != nil {
			return said.String(), err
		}
	}
	return said.String(), nil
}

// lines are those of our program so far.
func (m *mediumMachine) lines() string {
	var out []string
	for line := range strings.Lines(escapeSequence.ReplaceAllString(m.text(), "")) {
		if line = strings.TrimRight(line, "\r\n"); strings.Contains(line, "BDM: ") || strings.HasPrefix(line, "SUREFOOT-TEST") {
			out = append(out, line[max(0, strings.Index(line, "BDM: ")):])
		}
	}
	return strings.Join(out, "\n")
}

// report waits for the test bootstrap, prints how long it took and checks what it found of its
// delivery.
func (m *mediumMachine) report(node, server string) map[string]string {
	m.t.Helper()
	line := m.says(`SUREFOOT-TEST (OK|FAIL)[^\r\n]*\r\n`)[0]
	took := time.Since(m.begun)
	fields := map[string]string{}
	for _, f := range strings.Fields(line) {
		k, v, _ := strings.Cut(f, "=")
		fields[k] = v
	}
	m.t.Logf("RESULT %s: the bootstrap ran %.1f s after power-on, by the wall clock\n%s", m.t.Name(), took.Seconds(), m.lines())
	if fields["node"] != node || fields["server"] != server || fields["sum"] != "ok" {
		m.t.Errorf("report: %s; want node %s, server %s", line, node, server)
	}
	return fields
}
