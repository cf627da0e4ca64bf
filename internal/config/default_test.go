package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"surefoot/internal/boot"
)

// rootWith makes a directory with empty files; a name that ends in / is a directory.
func rootWith(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range names {
		path := filepath.Join(dir, n)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(n, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// rulesOf prints rules as "name=file".
func rulesOf(c *Config) []string {
	var out []string
	for _, r := range c.Site.Rules {
		out = append(out, r.Name+"="+r.File)
	}
	return out
}

func TestDefaultRules(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files []string // nil: no root
		bios  string
		uefi  string
		want  []string
	}{
		{"no root", nil, "", "", []string{"bios=surefoot-test", "uefi-x64=surefoot-test"}},
		{"empty root", []string{}, "", "", []string{"bios=surefoot-test", "uefi-x64=surefoot-test"}},
		{"iPXE", []string{"ipxe.efi", "snponly.efi", "undionly.kpxe"}, "", "", []string{"bios=undionly.kpxe", "uefi-x64=snponly.efi"}},
		{"provisioning", []string{"ARDBP32.BIN", "undionly.kpxe", "PVSNBPX64.EFI"}, "", "", []string{"bios=ARDBP32.BIN", "uefi-x64=PVSNBPX64.EFI"}},
		{"boot media", []string{"EFI/BOOT/BOOTX64.EFI", "pxelinux.0", "EFI/BOOT/BOOTAA64.EFI"}, "", "", []string{"bios=pxelinux.0", "uefi-x64=EFI/BOOT/BOOTX64.EFI", "uefi-arm64=EFI/BOOT/BOOTAA64.EFI"}},
		{"root before EFI/BOOT", []string{"EFI/BOOT/bootx64.efi", "bootx64.efi"}, "", "", []string{"bios=surefoot-test", "uefi-x64=bootx64.efi"}},
		{"script", []string{"Boot.iPXE", "undionly.kpxe"}, "", "", []string{"ipxe-script=Boot.iPXE", "bios=undionly.kpxe", "uefi-x64=surefoot-test"}},
		{"a directory is no file", []string{"pxelinux.0/", "grldr"}, "", "", []string{"bios=grldr", "uefi-x64=surefoot-test"}},
		{"named", []string{"undionly.kpxe", "sub/my.0", "my.efi"}, "sub/my.0", "my.efi", []string{"bios=sub/my.0", "uefi-x64=my.efi"}},
		{"test named", []string{"undionly.kpxe"}, boot.TestBootstrap, "", []string{"bios=surefoot-test", "uefi-x64=surefoot-test"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := DefaultOptions{Node: "n1", Interfaces: []string{"eth1"}, Addr: netip.MustParseAddr("10.0.0.5"), BIOSFile: tc.bios, UEFIFile: tc.uefi}
			if tc.files != nil {
				o.Root = rootWith(t, tc.files...)
			}
			c, err := Default(o)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, rulesOf(c)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			for _, r := range c.Site.Rules {
				if !slices.Equal(r.From, []string{"n1"}) || r.IPXE != boot.IPXEScript {
					t.Errorf("rule %+v", r)
				}
			}
			again, err := Parse("", c.YAML(), Options{Node: "n1"})
			if err != nil {
				t.Fatalf("the effective file does not load: %v", err)
			}
			again.Site.Name = c.Site.Name
			if d := cmp.Diff(c, again, sameValues); d != "" {
				t.Errorf("the effective file means something else (-first +again):\n%s", d)
			}
		})
	}
}

// Without an interface nothing is answered beyond this machine.
func TestDefaultIsHarmless(t *testing.T) {
	c, err := Default(DefaultOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !c.TFTP.Addr().IsLoopback() || !c.HTTP.Addr().IsLoopback() || !c.Status.Addr().IsLoopback() || !c.Node.Addr.IsLoopback() {
		t.Errorf("listens on %v, %v, %v as %v", c.TFTP, c.HTTP, c.Status, c.Node.Addr)
	}
	if slices.Contains(c.Node.Roles, RoleProxyDHCP) || c.Node.Interfaces != nil {
		t.Errorf("roles %v on %v", c.Node.Roles, c.Node.Interfaces)
	}
	c, err = Default(DefaultOptions{Interfaces: []string{"eth1"}, Addr: netip.MustParseAddr("10.0.0.5")})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(c.Node.Roles, RoleProxyDHCP) || !c.TFTP.Addr().IsUnspecified() || c.TFTP.Port() != 69 || c.HTTP.Port() != 8067 {
		t.Errorf("roles %v, %v, %v", c.Node.Roles, c.TFTP, c.HTTP)
	}
	if s := c.Site.Servers[c.Site.Self]; s.TFTP.String() != "10.0.0.5:69" || s.HTTP.String() != "10.0.0.5:8067" || !s.Node {
		t.Errorf("server %+v", s)
	}
}

// What well-known files are for: each machine gets its own, and iPXE the script.
func TestDefaultDecides(t *testing.T) {
	root := rootWith(t, "undionly.kpxe", "snponly.efi", "boot.ipxe")
	c, err := Default(DefaultOptions{Interfaces: []string{"eth1"}, Addr: netip.MustParseAddr("10.0.0.5"), Root: root})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		client boot.Client
		file   string
		reason boot.Reason
	}{
		{boot.Client{Arch: boot.ArchBIOS, Firmware: boot.FirmwarePXE}, "undionly.kpxe", boot.Answered},
		{boot.Client{Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2}, "snponly.efi", boot.Answered},
		{boot.Client{Arch: boot.ArchX64HTTP, Firmware: boot.FirmwareUEFIHTTP}, "snponly.efi", boot.Answered},
		{boot.Client{Arch: boot.ArchX64, Firmware: boot.FirmwareIPXE}, "boot.ipxe", boot.Answered},
		{boot.Client{Arch: boot.ArchARM64, Firmware: boot.FirmwareEDK2}, "", boot.NoRule},
	} {
		d := boot.Decide(tc.client, &c.Site, nil)
		if d.Reason != tc.reason || d.Answer.File != tc.file {
			t.Errorf("%+v: %s %q, want %s %q", tc.client, d.Reason, d.Answer.File, tc.reason, tc.file)
		}
	}
}

func TestDefaultErrors(t *testing.T) {
	root := rootWith(t, "undionly.kpxe", "sub/x")
	outside := rootWith(t, "secret.0")
	for _, tc := range []struct {
		name       string
		o          DefaultOptions
		want, hint string
	}{
		{"root missing", DefaultOptions{Root: root + "/none"}, "read the boot files in " + root + "/none: no such file or directory", "mkdir -p " + root + "/none"},
		{"root is a file", DefaultOptions{Root: root + "/undionly.kpxe"}, "not a directory", "--root takes a directory"},
		{"file missing", DefaultOptions{Root: root, BIOSFile: "undionli.kpxe"}, "look for boot file undionli.kpxe in " + root + ": no such file or directory", "did you mean undionly.kpxe?"},
		{"file is a directory", DefaultOptions{Root: root, UEFIFile: "sub"}, "not a regular file", "ls " + root},
		{"file outside", DefaultOptions{Root: root, BIOSFile: "../" + filepath.Base(outside) + "/secret.0"}, "path escapes from parent", "relative to the root"},
		{"file without root", DefaultOptions{BIOSFile: "x.0"}, "no directory", "--root DIR"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Default(tc.o)
			var re *RootError
			if !errors.As(err, &re) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want %q", err, tc.want)
			}
			if h := strings.Join(re.Hint(), "\n"); !strings.Contains(h, tc.hint) {
				t.Errorf("hints %q, want %q", h, tc.hint)
			}
		})
	}
}
