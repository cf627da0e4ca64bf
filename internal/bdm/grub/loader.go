// Package grub is the other loader of UEFI media: shim, signed by Microsoft, and GRUB, signed by
// Debian, with a script made from the Settings, for machines with Secure Boot whose keys nobody may
// change. They are found on this machine, in Debian's packages shim-signed and grub-efi-amd64-signed;
// none of them is part of Surefoot. It can less than our own program: no HTTP, no VLAN, no hash.
package grub

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"surefoot/internal/bdm"
)

// parts are the programs, each with its path in the image.
var parts = []struct{ image, path, pkg string }{
	{"EFI/BOOT/BOOTX64.EFI", "/usr/lib/shim/shimx64.efi.signed", "shim-signed"},
	{"EFI/BOOT/GRUBX64.EFI", "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed", "grub-efi-amd64-signed"},
	{"EFI/BOOT/MMX64.EFI", "/usr/lib/shim/mmx64.efi.signed", "shim-helpers-amd64-signed"}, // with which people enrol keys
}

// MissingError says which programs are not there.
type MissingError struct{ Names, Packages []string }

func (e *MissingError) Error() string {
	return "--loader grub needs what is not installed: " + strings.Join(e.Names, ", ")
}

// Hint says what to install.
func (e *MissingError) Hint() []string {
	return []string{
		"sudo apt-get install " + strings.Join(e.Packages, " "),
		"or name the files: --shim, --grub, --mok-manager",
	}
}

// Paths says where the programs are. What is empty is looked for where Debian has it.
type Paths struct{ Shim, GRUB, MOK string }

// Load reads the programs.
func Load(at Paths) ([]bdm.File, error) {
	var out []bdm.File
	missing := &MissingError{}
	for i, path := range []string{at.Shim, at.GRUB, at.MOK} {
		p := parts[i]
		named := path != ""
		if !named {
			path = p.path
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) && !named {
			missing.Names, missing.Packages = append(missing.Names, path), append(missing.Packages, p.pkg)
			continue
		}
		if err == nil && !bytes.HasPrefix(b, []byte("MZ")) {
			err = fmt.Errorf("%s is no EFI program", path)
		}
		if err != nil {
			return nil, fmt.Errorf("--loader grub: %w", err)
		}
		out = append(out, bdm.File{Path: p.image, Data: b})
	}
	if len(missing.Names) > 0 {
		return nil, missing
	}
	return out, nil
}
