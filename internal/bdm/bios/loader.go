// Package bios is the BIOS half of boot media: the script that an iPXE runs, made from the Settings
// of the image, and the loaders that start it, which are found on this machine. They are under the
// GPL and come from Debian's packages (isolinux, syslinux-common, ipxe); none of them is part of
// Surefoot.
package bios

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"surefoot/internal/bdm"
)

// Paths says where the loaders are. What is empty is looked for where Debian has it.
type Paths struct {
	MBR      string // isohdpfx.bin
	Isolinux string // isolinux.bin
	Ldlinux  string // ldlinux.c32
	IPXE     string // ipxe.lkrn
}

// part is one of the loaders: where distributions put it.
type part struct {
	name, pkg string
	places    []string
	size      int64 // at the most
}

var parts = []part{
	{"isohdpfx.bin", "isolinux", []string{"/usr/lib/ISOLINUX/isohdpfx.bin", "/usr/share/syslinux/isohdpfx.bin", "/usr/lib/syslinux/bios/isohdpfx.bin"}, 440},
	{"isolinux.bin", "isolinux", []string{"/usr/lib/ISOLINUX/isolinux.bin", "/usr/share/syslinux/isolinux.bin", "/usr/lib/syslinux/bios/isolinux.bin"}, 1 << 20},
	{"ldlinux.c32", "syslinux-common", []string{"/usr/lib/syslinux/modules/bios/ldlinux.c32", "/usr/share/syslinux/ldlinux.c32", "/usr/lib/syslinux/bios/ldlinux.c32"}, 1 << 20},
	{"ipxe.lkrn", "ipxe", []string{"/usr/lib/ipxe/ipxe.lkrn", "/boot/ipxe.lkrn", "/usr/share/ipxe/ipxe.lkrn"}, 8 << 20},
}

// MissingError says which loaders are not there.
type MissingError struct{ Names, Packages []string }

func (e *MissingError) Error() string {
	return "the BIOS half needs loaders that are not installed: " + strings.Join(e.Names, ", ")
}

// Hint says what to install, or how to do without.
func (e *MissingError) Hint() []string {
	return []string{
		"sudo apt-get install " + strings.Join(e.Packages, " "),
		"or name the files (--isolinux, --ldlinux, --isohdpfx, --ipxe), or leave BIOS machines out: --firmware uefi",
	}
}

// Load reads the loaders.
func Load(p Paths) (*bdm.BIOS, error) {
	out := &bdm.BIOS{Config: []byte(isolinuxConfig)}
	missing := &MissingError{}
	for i, to := range []struct {
		path string
		data *[]byte
	}{{p.MBR, &out.MBR}, {p.Isolinux, &out.Isolinux}, {p.Ldlinux, &out.Ldlinux}, {p.IPXE, &out.IPXE}} {
		b, err := parts[i].read(to.path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && to.path == "":
			missing.Names = append(missing.Names, parts[i].name)
			if pkg := parts[i].pkg; len(missing.Packages) == 0 || missing.Packages[len(missing.Packages)-1] != pkg {
				missing.Packages = append(missing.Packages, pkg)
			}
		case err != nil:
			return nil, err
		}
		*to.data = b
	}
	if len(missing.Names) > 0 {
		return nil, missing
	}
	return out, nil
}

// read reads the file at path, or the first that is where it usually is.
func (p part) read(path string) ([]byte, error) {
	places := p.places
	if path != "" {
		places = []string{path}
	}
	for _, at := range places {
		st, err := os.Stat(at)
		if errors.Is(err, fs.ErrNotExist) && path == "" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		if !st.Mode().IsRegular() || st.Size() == 0 || st.Size() > p.size {
			return nil, fmt.Errorf("%s has %d bytes: it is no %s", at, st.Size(), p.name)
		}
		return os.ReadFile(at)
	}
	return nil, fs.ErrNotExist
}

// isolinuxConfig starts iPXE with the script as its initrd.
const isolinuxConfig = "DEFAULT bdm\nLABEL bdm\nLINUX ipxe.krn\nINITRD bdm.ipx\n"
