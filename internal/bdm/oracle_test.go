package bdm_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"surefoot/internal/bdm"
	"surefoot/internal/bdm/bios"
	"surefoot/internal/bdm/efi"
)

// oracle runs a program that knows these formats, and returns what it says and whether it was content.
func oracle(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
			if p, e := exec.LookPath(dir + program); e == nil {
				path, err = p, nil
			}
		}
	}
	if err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "MTOOLS_SKIP_CHECK=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func contains(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s: no %q in:\n%s", what, w, text)
		}
	}
}

func file(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// real is an image with Debian's loaders.
func real(t *testing.T, f bdm.Format) []byte {
	t.Helper()
	sp := spec(f, "ub")
	var err error
	if sp.BIOS, err = bios.Load(bios.Paths{}); err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return build(t, sp)
}

func TestXorrisoReadsTheISO(t *testing.T) {
	image := real(t, bdm.ISO)
	if len(image) > 573_440 {
		t.Errorf("%d bytes are more than a trial needed", len(image))
	}
	path := file(t, "boot.iso", image)
	dir := t.TempDir()
	out, err := oracle(t, "xorriso", "-abort_on", "WARNING", "-osirrox", "on", "-indev", path, "-report_el_torito", "plain", "-report_system_area", "plain",
		"-extract", "/", dir)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	contains(t, "xorriso", out, "El Torito boot img :   1  BIOS  y   none", "El Torito boot img :   2  UEFI  y   none", "/ISOLINUX.BIN",
		"boot-info-table isohybrid-suitable", "MBR isohybrid", "GPT", "Surefoot boot", "SUREFOOT_BDM")
	b, err := os.ReadFile(filepath.Join(dir, "SUREFOOT.CFG")) // the same bytes as in the EFI system partition
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bdm.Decode(b); err != nil {
		t.Error(err)
	}
	kernel, err := os.ReadFile(filepath.Join(dir, "IPXE.KRN"))
	if err != nil {
		t.Fatal(err)
	}
	if own, err := os.ReadFile("/usr/lib/ipxe/ipxe.lkrn"); err != nil || !bytes.Equal(kernel, own) {
		t.Errorf("iPXE is not what was built in: %v", err)
	}
}

// sgdisk takes the partition tables of every disk, and not one with a wrong byte.
func TestSgdiskReadsTheTables(t *testing.T) {
	for name, sp := range every() {
		if sp.Format == bdm.Partition || sp.Format == bdm.VHD {
			continue
		}
		image := build(t, sp)
		path := file(t, "disk", image)
		out, err := oracle(t, "sgdisk", "-v", "-p", path)
		if err != nil || !strings.Contains(out, "No problems found") || !strings.Contains(out, "EF00  Surefoot boot") {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		image[1024] ^= 1
		if out, _ := oracle(t, "sgdisk", "-v", file(t, "bad", image)); strings.Contains(out, "No problems found") {
			t.Errorf("%s: sgdisk takes a broken table: the check shows nothing", name)
		}
		if out, err := oracle(t, "sfdisk", "--verify", path); err != nil || !strings.Contains(out, "No errors detected") {
			t.Errorf("%s: sfdisk: %v: %s", name, err, out)
		}
	}
}

func TestFsckAndMtoolsReadTheFileSystem(t *testing.T) {
	sp := spec(bdm.Partition, "u")
	for i := range 4 { // larger ones as well: more tables, larger clusters
		sp.ESP[0].Data = append(efi.Program(), make([]byte, i*i*i*200_000)...)
		image := build(t, sp)
		path := file(t, "esp", image)
		if out, err := oracle(t, "fsck.vfat", "-n", "-v", path); err != nil {
			t.Errorf("%d bytes: %v: %s", len(image), err, out)
		}
		to := filepath.Join(t.TempDir(), "back")
		if out, err := oracle(t, "mcopy", "-i", path, "::/EFI/BOOT/BOOTX64.EFI", to); err != nil {
			t.Errorf("%d bytes: %v: %s", len(image), err, out)
			continue
		}
		if b, err := os.ReadFile(to); err != nil || !bytes.Equal(b, sp.ESP[0].Data) {
			t.Errorf("%d bytes: the program comes back other than it went in: %v", len(image), err)
		}
		image[int(binary.LittleEndian.Uint16(image[14:]))*512+4] ^= 0xff // within the first table
		if out, err := oracle(t, "fsck.vfat", "-n", file(t, "bad", image)); err == nil {
			t.Errorf("fsck takes a broken table: %s", out)
		}
	}
}

func TestQemuImgReadsTheVHD(t *testing.T) {
	sp := every()["vhd.ub"]
	image := build(t, sp)
	path := file(t, "boot.vhd", image)
	out, err := oracle(t, "qemu-img", "info", "-f", "vpc", path)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	contains(t, "qemu-img", out, "(4194304 bytes)", "file format: vpc")
	raw := filepath.Join(t.TempDir(), "raw")
	if out, err := oracle(t, "qemu-img", "convert", "-f", "vpc", "-O", "raw", path, raw); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if b, err := os.ReadFile(raw); err != nil || !bytes.Equal(b, image[:len(image)-512]) {
		t.Errorf("the disk in it is another: %v", err)
	}
}
