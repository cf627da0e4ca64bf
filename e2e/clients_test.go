package e2e

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/lab"
)

// clientScenarios are real TFTP clients of firmware that download more than a bootstrap; what arrived
// is compared byte by byte or by its checksum.
func clientScenarios() []scenario {
	return []scenario{{"client-u-boot", uBoot}, {"client-ipxe", ipxeClient}, {"client-edk2", edk2Client}}
}

// filled makes a root with files of random bytes, each named for its size.
func filled(t *testing.T, sizes ...int) (root string, content map[int][]byte) {
	t.Helper()
	root, content = t.TempDir(), map[int][]byte{}
	for _, n := range sizes {
		b := make([]byte, n)
		_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("f%d", n)), b, 0o644); err != nil {
			t.Fatal(err)
		}
		content[n] = b
	}
	return root, content
}

// needs fails or skips the test without a file of some package.
func needs(t *testing.T, path, pkg string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatalf("%v (Debian: %s)", err, pkg)
		}
		t.Skip(err)
	}
}

// U-Boot's client: no bytes, one, a whole number of blocks, and more blocks of 512 bytes than a
// block's number has values, in lock-step or in windows. It names a time-out of 5 s.
func uBoot(t *testing.T, b *bench) {
	const firmware = "/usr/lib/u-boot/qemu-x86/u-boot.rom"
	needs(t, firmware, "u-boot-qemu")
	const long = 512*65540 + 100
	root, content := filled(t, 0, 1, 1468*4, 300_001, long)
	s := b.raise(t, lab.Options{Nodes: 1, Site: site{root: root}.text(1)})
	g := s.guest("u-boot", "-bios", firmware, "-device", "e1000,netdev=n0,romfile=")
	g.await("Hit any key")
	const prompt = `=> $`
	g.types("", prompt)
	for _, line := range []string{"setenv ipaddr 10.77.0.90", "setenv netmask 255.255.255.0", "setenv serverip " + n1} {
		g.types(line, prompt)
	}
	for _, f := range []struct {
		size    int
		setting string
	}{
		{0, "setenv tftpblocksize 1468"},
		{1, "setenv tftpblocksize 1468"},
		{1468 * 4, "setenv tftpblocksize 1468"},
		{300_001, "setenv tftpblocksize 1468"},
		{300_001, "setenv tftpblocksize 512"},
		{long, "setenv tftpblocksize 512; setenv tftpwindowsize 16"},
	} {
		g.types(f.setting, prompt)
		g.types(fmt.Sprintf("tftpboot 0x1000000 f%d", f.size), `done\r?\n`)
		g.await(prompt)
		if f.size == 0 {
			continue // nothing to be compared
		}
		got := g.types(fmt.Sprintf("crc32 0x1000000 %x", f.size), `==> ([0-9a-f]{8})`)[1]
		g.await(prompt)
		if want := fmt.Sprintf("%08x", crc32.ChecksumIEEE(content[f.size])); got != want {
			t.Errorf("%d bytes, %s: crc32 %s, want %s", f.size, f.setting, got, want)
		}
	}
}

// iPXE's client, with content that is compared in the machine's memory.
func ipxeClient(t *testing.T, b *bench) {
	const program = "/usr/lib/ipxe/ipxe.lkrn"
	needs(t, program, "ipxe")
	root, content := filled(t, 1432*8, 8_000_001)
	script := filepath.Join(t.TempDir(), "script")
	text := "#!ipxe\nset net0/ip 10.77.0.91\nset net0/netmask 255.255.255.0\nifopen net0\n"
	for n := range content {
		text += fmt.Sprintf("imgfetch tftp://%s/f%d || echo FAILED\n", n1, n)
	}
	if err := os.WriteFile(script, []byte(text+"imgstat\necho THE END\nshell\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := b.raise(t, lab.Options{Nodes: 1, Site: site{root: root}.text(1)})
	g := s.guest("ipxe", "-machine", "pc,accel=tcg,usb=off,graphics=off", "-kernel", program, "-initrd", script,
		"-device", "virtio-net-pci,netdev=n0,romfile=")
	g.await("THE END")
	if strings.Contains(g.text(), "FAILED") {
		t.Fatal("a download failed")
	}
	if !g.holds(t, content[8_000_001]) || strings.Count(g.text(), "11456 bytes") == 0 {
		t.Error("the content is not in the machine's memory")
	}
}

// EDK2's client: the options that it is granted, and that the server knows it, are in the story; the
// bootstrap itself compares its checksum.
func edk2Client(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1})
	r, vm := s.boot(lab.Machine{Firmware: lab.UEFI})
	if r.Fields["sum"] != "ok" {
		t.Errorf("report: %s", r.Line)
	}
	st := s.delivered("n1", vm.MAC, boot.ReadRequest, boot.OptionsSent)
	var granted []string
	for _, ev := range st.Steps {
		if ev.Kind == boot.OptionsSent {
			granted = append(granted, ev.Options+" "+ev.Quirk)
		}
	}
	got := strings.Join(granted, ", ")
	if len(granted) != 2 || !strings.HasPrefix(got, "tsize=") || !strings.HasSuffix(got, " blksize=1468 windowsize=4 edk2-size-probe, blksize=1468 windowsize=4 edk2") {
		t.Errorf("granted: %s", got)
	}
}
