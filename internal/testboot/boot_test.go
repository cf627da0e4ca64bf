package testboot

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// The clock of these machines runs ahead whenever they only wait, so a minute passes in no time.
var machine = []string{
	"-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
	"-icount", "shift=5,sleep=off",
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;=?]*[A-Za-z]`)

// console runs an emulated machine until its serial console has said all of the wanted, in that
// order, and returns what it said.
func console(t *testing.T, args, wanted []string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, wantProgram(t, "qemu-system-x86_64"), append(args, machine...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer stop()

	var raw strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := out.Read(buf)
		raw.Write(buf[:n])
		text := strings.ReplaceAll(escapes.ReplaceAllString(raw.String(), ""), "\r", "")
		missing, rest := "", text
		for _, w := range wanted {
			_, after, found := strings.Cut(rest, w)
			if !found {
				missing = w
				break
			}
			rest = after
		}
		if missing == "" {
			return text
		}
		if err != nil {
			if err == io.EOF {
				err = ctx.Err()
			}
			t.Fatalf("the console never said %q (%v; %s), but:\n%s", missing, err, complaints.String(), text)
		}
	}
}

// serve writes the programs into a directory and returns the network of a machine that boots one
// of them from there, by the TFTP server inside the emulator.
func serve(t *testing.T, name, device string) []string {
	t.Helper()
	dir := t.TempDir()
	for file, program := range Files("boot1") {
		if err := os.WriteFile(filepath.Join(dir, file), program, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return []string{
		"-netdev", "user,id=n0,tftp=" + dir + ",bootfile=" + name,
		"-device", device + ",netdev=n0,mac=52:54:00:00:00:01,bootindex=1",
	}
}

func finalLine(name string) string {
	return fmt.Sprintf("\nSUREFOOT-TEST OK node=boot1 ip=10.0.2.15 server=10.0.2.2 file=%s len=%d sum=ok\n",
		name, len(Files("")[name]))
}

// Who writes the serial port differs, what stands there must not.
func TestBIOSBoot(t *testing.T) {
	for _, tc := range []struct{ name, graphics, says string }{
		{"console mirrored by the firmware", "off", "console: screen; COM1, by the firmware"},
		{"console written by the program", "on", "console: screen; COM1, by this program"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"-machine", "pc,accel=tcg,usb=off,graphics=" + tc.graphics, "-m", "128"},
				serve(t, boot.TestBootstrapBIOS, "virtio-net-pci")...)
			text := console(t, args, []string{
				"\nSUREFOOT TEST BOOTSTRAP (BIOS)\nnode: boot1\nself: ", "ok: every byte arrived\n", tc.says + "\n",
				"pxe: !PXE\nmac: 52:54:00:00:00:01\ndhcp-ack: siaddr=10.0.2.2 ", " 54=10.0.2.2",
				finalLine(boot.TestBootstrapBIOS), "This machine can boot through Surefoot.",
				"which tries the next boot device.\n",
			})
			if n := strings.Count(text, "SUREFOOT-TEST OK"); n != 1 {
				t.Errorf("the final line is there %d times:\n%s", n, text)
			}
		})
	}
}

func TestBIOSDamagedDownload(t *testing.T) {
	args := append([]string{"-machine", "pc,accel=tcg,usb=off,graphics=off", "-m", "128"},
		serve(t, "cut.0", "virtio-net-pci")...)
	_, dir, _ := strings.Cut(strings.Join(args, " "), "tftp=")
	dir, _, _ = strings.Cut(dir, ",")
	program := Files("boot1")[boot.TestBootstrapBIOS]
	if err := os.WriteFile(filepath.Join(dir, "cut.0"), program[:512], 0o644); err != nil {
		t.Fatal(err)
	}
	console(t, args, []string{"\nSUREFOOT-TEST FAIL sum=BAD want=", "No bootable device"})
}

func TestUEFIBoot(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several seconds")
	}
	const code, vars = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
	template, err := os.ReadFile(vars)
	want(t, err == nil, "the firmware OVMF ("+vars+")")
	own := filepath.Join(t.TempDir(), "vars.fd")
	if err := os.WriteFile(own, template, 0o644); err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"-machine", "q35,accel=tcg,usb=off", "-m", "256",
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + code,
		"-drive", "if=pflash,unit=1,format=raw,file=" + own,
	}, serve(t, boot.TestBootstrapX64, "virtio-net-pci,romfile=")...)
	console(t, args, []string{
		"\nSUREFOOT TEST BOOTSTRAP (UEFI x64)\nnode: boot1\nself: ", "ok: it arrived whole\n",
		"mac: 52:54:00:00:00:01\nloaded by: PXE\ndhcp-ack: siaddr=10.0.2.2 ",
		finalLine(boot.TestBootstrapX64), "which tries the next boot option.\n",
		"failed to start Boot", // the firmware has the machine again,
		">>Start ",             // and does go on
	})
}

// ROMs from before !PXE, and what a ROM gets back.
func TestBIOSOldROM(t *testing.T) {
	nasm := wantProgram(t, "nasm")
	dir := t.TempDir()
	program, disk := filepath.Join(dir, "program"), filepath.Join(dir, "disk.img")
	if err := os.WriteFile(program, Files("boot1")[boot.TestBootstrapBIOS], 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nasm, "-f", "bin", `-DPROGRAM="`+program+`"`, "-o", disk, "testdata/oldrom.asm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nasm: %v\n%s", err, out)
	}
	console(t, []string{
		"-machine", "pc,accel=tcg,usb=off,graphics=off", "-m", "128", "-drive", "if=ide,format=raw,file=" + disk,
	}, []string{
		"\npxe: PXENV+\nmac: 02:00:00:00:00:09\ndhcp-ack: siaddr=0.0.0.0 sname= file=\n",
		`dhcp-ack options: 53=5 54=192.0.2.1 67=\boot\surefoot-old` + "\n",
		`ip=192.0.2.7 server=192.0.2.1 file=\boot\surefoot-old len=`,
		"DHCP named another file", "OLD ROM: the program came back as it should",
	})
}
