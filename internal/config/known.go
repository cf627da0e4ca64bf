package config

import "surefoot/internal/boot"

// KnownFiles are the names under which the bootstrap of one kind of machine is looked for.
type KnownFiles struct {
	Rule  string // the name of the rule made from it
	When  boot.Match
	Names []string // in lower case, the best first; each also in EFI/BOOT
}

// Known lists what Default looks for in a root, in the order of the rules it makes. What a site
// put there for a purpose (a provisioning bootstrap, a signed loader) goes before what many
// directories have anyway.
func Known() []KnownFiles {
	arch := func(c boot.ArchClass) boot.Match { return boot.Match{Arch: c.Archs()} }
	return []KnownFiles{
		{"ipxe-script", boot.Match{Firmware: []boot.Firmware{boot.FirmwareIPXE}}, []string{"boot.ipxe", "autoexec.ipxe"}},
		{"bios", arch(boot.ClassBIOS), []string{
			"ardbp32.bin", "undionly.kpxe", "undionly.kkpxe", "ipxe.pxe", "lpxelinux.0", "pxelinux.0",
			"wdsnbp.com", "pxeboot.n12", "grldr", "core.0",
		}},
		{"uefi-x64", arch(boot.ClassUEFIx64), []string{
			"pvsnbpx64.efi", "bootx64.efi", "shimx64.efi", "snponly.efi", "ipxe.efi", "grubx64.efi", "grubnetx64.efi", "syslinux.efi",
		}},
		{"uefi-ia32", arch(boot.ClassUEFIia32), []string{"bootia32.efi", "shimia32.efi", "grubia32.efi", "ipxe32.efi"}},
		{"uefi-arm64", arch(boot.ClassUEFIarm64), []string{"bootaa64.efi", "shimaa64.efi", "snponly-arm64.efi", "ipxe-arm64.efi", "grubaa64.efi"}},
		{"uefi-arm32", arch(boot.ClassUEFIarm32), []string{"bootarm.efi", "grubarm.efi"}},
	}
}
