package bios

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMissingLoadersAreNamedWithTheirPackages(t *testing.T) {
	e := &MissingError{Names: []string{"isolinux.bin", "ipxe.lkrn"}, Packages: []string{"isolinux", "ipxe"}}
	if want := "the BIOS half needs loaders that are not installed: isolinux.bin, ipxe.lkrn"; e.Error() != want {
		t.Errorf("got %q", e)
	}
	if hint := e.Hint(); hint[0] != "sudo apt-get install isolinux ipxe" || !strings.Contains(hint[1], "--firmware uefi") {
		t.Errorf("hints %q", hint)
	}
	absent := part{name: "x", places: []string{filepath.Join(t.TempDir(), "none")}, size: 10}
	if _, err := absent.read(""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestLoadersByPath(t *testing.T) {
	dir := t.TempDir()
	make := func(name string, n int) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, slices.Repeat([]byte{7}, n), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p := Paths{MBR: make("m", 432), Isolinux: make("i", 1000), Ldlinux: make("l", 1001), IPXE: make("k", 1002)}
	b, err := Load(p)
	if err != nil || len(b.MBR) != 432 || len(b.Isolinux) != 1000 || len(b.Ldlinux) != 1001 || len(b.IPXE) != 1002 || len(b.Config) == 0 {
		t.Errorf("%v", err)
	}
	p.IPXE = filepath.Join(dir, "none")
	if _, err := Load(p); err == nil || !strings.Contains(err.Error(), "ipxe.lkrn: ") {
		t.Errorf("a path that leads nowhere: %v", err)
	}
	p.IPXE = make("empty", 0)
	if _, err := Load(p); err == nil || !strings.Contains(err.Error(), "it is no ipxe.lkrn") {
		t.Errorf("an empty file: %v", err)
	}
}
