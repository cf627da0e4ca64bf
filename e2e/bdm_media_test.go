package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"surefoot/internal/lab"
)

// bdmMediaScenarios boot emulated PCs from boot media, with no boot option of anybody: the lab's DHCP
// server hands out addresses, its nodes files. Clocks go right here, so that the times mean something.
func bdmMediaScenarios() []scenario {
	return []scenario{
		{"bdm-bios-iso", func(t *testing.T, b *bench) { mediaBIOS(t, b, "iso", asCD) }},
		{"bdm-bios-disk", func(t *testing.T, b *bench) { mediaBIOS(t, b, "iso", asStick) }},
		{"bdm-bios-usb", func(t *testing.T, b *bench) { mediaBIOS(t, b, "usb", asDisk) }},
		{"bdm-bios-static", mediaStatic},
		{"bdm-bios-return", mediaReturn},
		{"bdm-bios-seen", mediaSeen},
		{"bdm-uefi-iso", func(t *testing.T, b *bench) { mediaUEFI(t, b, "boot.iso", nil, asCD) }},
		{"bdm-uefi-usb", func(t *testing.T, b *bench) { mediaUEFI(t, b, "boot.usb", nil, asStick) }},
		{"bdm-uefi-raw", func(t *testing.T, b *bench) {
			mediaUEFI(t, b, "boot.raw", []string{"--firmware", "uefi", "--ip", "10.77.0.9/24"}, asDisk)
		}},
		{"bdm-uefi-partition", mediaBeside},
	}
}

// iPXE names the medium in its DISCOVER alone, so this node answers DHCP.
func mediaSeen(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1})
	image := s.media("boot.iso", "--servers", "n1")
	g, since := s.biosMachine(asCD(image))
	want(t, "report", g.bootstrapped(since), "node=n1", "server=10.77.0.11", "file=surefoot-test.0")
	s.seen(image)
	out, _, _ := s.run("story", mediaMAC, "--socket", s.Node("n1").Socket)
	want(t, "story", out, "boots from medium ")
}

// How an image is attached to a machine.
func asCD(image string) []string {
	return []string{"-drive", "if=none,id=m,media=cdrom,readonly=on,format=raw,file=" + image, "-device", "ide-cd,drive=m,bootindex=0"}
}

func asDisk(image string) []string {
	return []string{"-drive", "if=none,id=m,format=raw,snapshot=on,file=" + image, "-device", "virtio-blk-pci,drive=m,bootindex=0"}
}

func asStick(image string) []string {
	return []string{"-drive", "if=none,id=m,format=raw,snapshot=on,file=" + image, "-device", "qemu-xhci", "-device", "usb-storage,drive=m,bootindex=0"}
}

const mediaMAC = "52:54:00:77:09:01"

// deadServer is an address at which nobody is.
const deadServer = "10.77.0.99"

// media builds an image by the site file of node n1, and says what was printed.
func (s *stage) media(name string, args ...string) string {
	s.t.Helper()
	path := filepath.Join(s.Dir, name)
	out, errs, code := s.run(append([]string{"bdm", "build", "-o", path, "--config", s.Node("n1").Config}, args...)...)
	if code != 0 {
		s.t.Fatalf("bdm build: exit %d: %s%s", code, out, errs)
	}
	if out, errs, code := s.run("bdm", "inspect", path); code != 0 {
		s.t.Fatalf("bdm inspect: exit %d: %s%s", code, out, errs)
	}
	return path
}

// biosMachine switches a BIOS machine on that has the medium and no network boot ROM.
func (s *stage) biosMachine(attach []string) (*guest, time.Time) {
	s.t.Helper()
	args := append([]string{
		"-machine", "pc,accel=tcg,usb=off,graphics=off", "-device", "virtio-net-pci,netdev=n0,romfile=,mac=" + mediaMAC,
	}, attach...)
	return s.guest("media", args...), time.Now()
}

// bootstrapped waits for the test bootstrap's good report, prints the time, and returns the line.
func (g *guest) bootstrapped(since time.Time) string {
	g.t.Helper()
	line := strings.TrimSpace(g.await(`SUREFOOT-TEST (?:OK|FAIL)[^\r\n]*[\r\n]`)[0])
	if !strings.HasPrefix(line, "SUREFOOT-TEST OK") {
		g.t.Fatalf("the bootstrap reports: %s", line)
	}
	g.t.Logf("bootstrap after %.1f s: %s", time.Since(since).Seconds(), line)
	return line
}

// The first server is dead, the second delivers.
func mediaBIOS(t *testing.T, b *bench, format string, attach func(string) []string) {
	needs(t, "/usr/lib/ISOLINUX/isolinux.bin", "isolinux")
	s := b.raise(t, quiet(1))
	image := s.media("boot."+format, "--servers", deadServer+",n1")
	g, since := s.biosMachine(attach(image))
	g.await(`BDM: Surefoot boot media`)
	g.await(`BDM: address 10\.77\.0\.\d+`)
	g.await(`BDM: E-TFTP-TIMEOUT tftp://` + regexp.QuoteMeta(deadServer))
	want(t, "report", g.bootstrapped(since), "node=n1", "server=10.77.0.11", "file=surefoot-test.0")
}

// uefiMachine switches a machine with UEFI firmware on that has the medium.
func (s *stage) uefiMachine(attach []string) (*guest, time.Time) {
	s.t.Helper()
	f := plainOVMF()
	vars, err := os.ReadFile(f.vars)
	own := filepath.Join(s.Dir, "media.vars.fd")
	if err == nil {
		err = os.WriteFile(own, vars, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	args := append([]string{
		"-machine", f.machine,
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + f.code,
		"-drive", "if=pflash,unit=1,format=raw,file=" + own,
		"-device", "virtio-net-pci,netdev=n0,romfile=,mac=" + mediaMAC,
	}, attach...)
	return s.guest("media", args...), time.Now()
}

// The first server is dead, the second delivers, whatever the image is attached as.
func mediaUEFI(t *testing.T, b *bench, name string, flags []string, attach func(string) []string) {
	s := b.raise(t, quiet(1))
	image := s.media(name, append([]string{"--servers", deadServer + ",n1"}, flags...)...)
	g, since := s.uefiMachine(attach(image))
	g.await(`E-TFTP-TIMEOUT tftp://` + regexp.QuoteMeta(deadServer))
	want(t, "report", g.bootstrapped(since), "node=n1", "server=10.77.0.11")
	s.seen(image) // the node knows it by the TFTP option
}

// No DHCP at all.
func mediaStatic(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1})
	image := s.media("boot.iso", "--servers", "n1", "--ip", "10.77.0.9/24")
	g, since := s.biosMachine(asCD(image))
	g.await(`BDM: address 10\.77\.0\.9 `)
	want(t, "report", g.bootstrapped(since), "ip=10.77.0.9", "server=10.77.0.11", "file=surefoot-test.0")
	if asked := s.datagrams(func(u lab.UDP) bool { return u.Dst.Port() == 67 }); len(asked) > 0 {
		t.Errorf("%d DHCP packets were sent", len(asked))
	}
}

// All servers are dead, and then one comes back: the machine finds it by itself.
func mediaReturn(t *testing.T, b *bench) {
	s := b.build(t, lab.Options{Nodes: 1})
	image := s.media("boot.iso", "--servers", deadServer+",n1", "--timeout", "1", "--wait", "1")
	g, _ := s.biosMachine(asCD(image))
	g.await(`BDM: no server delivered`)
	since := time.Now()
	if err := s.Node("n1").Start(s.ctx); err != nil {
		t.Fatal(err)
	}
	g.bootstrapped(since)
}

// A partition beside another system's, on a disk that was not empty.
func mediaBeside(t *testing.T, b *bench) {
	s := b.raise(t, quiet(1))
	image := s.media("boot.partition", "--servers", deadServer+",n1")
	disk := filepath.Join(s.Dir, "disk.img")
	s.tool("truncate", "-s", "64M", disk)
	s.tool("sgdisk", "-n", "1:2048:+32M", "-t", "1:8300", "-c", "1:other system", "-n", "2:90112:+8M", "-t", "2:ef00", "-c", "2:its loader", disk)
	esp := disk + "@@" + strconv.Itoa(90112*512)
	s.tool("mformat", "-i", esp, "-T", "16384", "-h", "4", "-s", "32", "::")
	s.tool("mmd", "-i", esp, "::/EFI", "::/EFI/OTHER")
	out, errs, code := s.run("bdm", "write", image, disk, "--beside", "--yes")
	if code != 0 {
		t.Fatalf("bdm write: exit %d: %s%s", code, out, errs)
	}
	want(t, "bdm write", out, "a new partition 3", "the others are not touched")
	want(t, "sgdisk", s.tool("sgdisk", "-v", "-p", disk), "No problems found", "other system", "its loader", "Surefoot boot")
	want(t, "the other's loader", s.tool("mdir", "-i", esp, "::/EFI"), "OTHER")
	g, since := s.uefiMachine(asDisk(disk))
	want(t, "report", g.bootstrapped(since), "node=n1", "server=10.77.0.11")
}

// tool runs a program of the system and returns what it says.
func (s *stage) tool(name string, args ...string) string {
	s.t.Helper()
	if path, err := exec.LookPath("/usr/sbin/" + name); err == nil {
		name = path
	}
	out, err := exec.CommandContext(s.ctx, name, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v: %s", name, err, out)
	}
	return string(out)
}

// seen asks the node which media it saw, and wants this one, once.
func (s *stage) seen(image string) {
	s.t.Helper()
	out, _, _ := s.run("bdm", "inspect", image, "--json")
	var m struct{ Settings struct{ ID, Version string } }
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	out, errs, code := s.run("bdm", "list", "--json", "--config", s.Node("n1").Config, "--socket", s.Node("n1").Socket)
	var list struct {
		Media []struct {
			ID, Version string
			Boots       int
			Machines    []string
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		s.t.Fatalf("bdm list: exit %d, %v: %s%s", code, err, out, errs)
	}
	for _, x := range list.Media {
		if x.ID == m.Settings.ID && x.Version == m.Settings.Version && x.Boots == 1 && len(x.Machines) == 1 {
			return
		}
	}
	s.t.Errorf("bdm list does not have medium %s with one boot: %s", m.Settings.ID, out)
}
