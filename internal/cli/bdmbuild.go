package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"surefoot/internal/bdm"
	"surefoot/internal/bdm/bios"
	"surefoot/internal/bdm/efi"
	"surefoot/internal/bdm/grub"
	"surefoot/internal/config"
)

const bdmBuildLong = `Build an image. Servers and files are those that the site file gives UEFI and BIOS machines of its
first network (--network another), unless flags say otherwise; without a site file --servers and
--file or --file-bios are needed.

  iso        a CD; written to a stick, a disk as well. Boots BIOS and UEFI machines
  usb, raw   a disk; usb in whole megabytes
  vhd        a fixed VHD
  partition  an EFI system partition alone, for surefoot bdm write --partition. UEFI only

The BIOS half needs Debian's packages isolinux, syslinux-common and ipxe, or files named by flags.
The same inputs with the same --id and --date (or SOURCE_DATE_EPOCH) make the same bytes.`

type bdmBuildOptions struct {
	*bdmOptions
	flags    bdmFlags
	out      string
	format   string
	firmware []string
	network  string
	id, date string
	loader   string
	rootEFI  string
	force    bool
	state    string
	cfg      *config.Config // nil: no site file
	paths    bios.Paths
	grub     grub.Paths
}

func newBDMBuildCommand(b *bdmOptions) *cobra.Command {
	o := &bdmBuildOptions{bdmOptions: b}
	cmd := &cobra.Command{
		Use: "build -o FILE", Short: "build an image with the servers of the site file, or others", Long: bdmBuildLong,
		Example: "  surefoot bdm build -o boot.iso\n  surefoot bdm build -o pvs.iso --servers 10.0.0.1,10.0.0.2 --file pvsnbpx64.efi --file-bios ARDBP32.BIN",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.flags.addFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.out, "output", "o", "", "the file to write")
	f.StringVar(&o.format, "format", "", "iso, usb, partition, vhd or raw (default: by the file's name, else iso)")
	f.StringSliceVar(&o.firmware, "firmware", nil, "machines that it boots: bios, uefi (default both; partition: uefi)")
	f.StringVar(&o.network, "network", "", "network of the site file whose machines boot from it")
	f.StringVar(&o.id, "id", "", "the image's id, 32 hexadecimal digits (default: random)")
	f.StringVar(&o.date, "date", "", "the date that it carries, as in 2026-11-25 (default $SOURCE_DATE_EPOCH, else today)")
	f.StringVar(&o.loader, "loader", "efi", "what boots UEFI machines: efi, ours; grub, Debian's signed shim and GRUB")
	f.StringVar(&o.rootEFI, "root-efi", "", "a signed copy of our UEFI program to put in its place")
	f.BoolVar(&o.force, "force", false, "overwrite the file if it is there")
	f.StringVar(&o.state, "state", "", "state directory in which to remember it (default: that of the site file)")
	f.StringVar(&o.paths.Isolinux, "isolinux", "", "path of isolinux.bin")
	f.StringVar(&o.paths.Ldlinux, "ldlinux", "", "path of ldlinux.c32")
	f.StringVar(&o.paths.MBR, "isohdpfx", "", "path of isohdpfx.bin")
	f.StringVar(&o.paths.IPXE, "ipxe", "", "path of ipxe.lkrn")
	f.StringVar(&o.grub.Shim, "shim", "", "path of shimx64.efi.signed")
	f.StringVar(&o.grub.GRUB, "grub", "", "path of grubnetx64.efi.signed")
	f.StringVar(&o.grub.MOK, "mok-manager", "", "path of mmx64.efi.signed")
	return cmd
}

func (o *bdmBuildOptions) run(cmd *cobra.Command) error {
	if o.out == "" {
		return usageError(cmd, errors.New("-o names the file to write"))
	}
	spec, err := o.spec(cmd)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(o.out); err == nil && !o.force {
		return &bdm.ExistsError{Path: o.out}
	}
	image, err := bdm.Build(spec)
	if err != nil {
		return err
	}
	m, err := bdm.Open(bytes.NewReader(image), int64(len(image))) // it is read back before anybody relies on it
	if err != nil {
		return fmt.Errorf("read back what was built: %w", err)
	}
	m.CheckTexts(spec.Texts)
	if len(m.Problems) > 0 {
		return fmt.Errorf("read back what was built: %s", strings.Join(m.Problems, "; "))
	}
	if err := bdm.Save(o.out, image, o.force); err != nil {
		return err
	}
	o.remember(o.cfg, o.state, absolute(o.out), m)
	return o.show(o.out, m, bytes.NewReader(image))
}

// spec says what to build.
func (o *bdmBuildOptions) spec(cmd *cobra.Command) (spec bdm.Spec, err error) {
	spec.Texts = bdmTexts()
	format := o.format
	if format == "" {
		format = "iso"
		for _, f := range bdm.Formats() {
			if strings.HasSuffix(o.out, "."+string(f)) {
				format = string(f)
			}
		}
	}
	if spec.Format, err = bdm.ParseFormat(format); err != nil {
		return spec, usageError(cmd, fmt.Errorf("--format: %w", err))
	}
	cfg, err := o.site()
	if err != nil {
		return spec, err
	}
	o.cfg = cfg
	s, choice, err := newSettings(o.env, cfg, o.network, o.id, o.date)
	if err != nil {
		return spec, err
	}
	for _, n := range choice.Notes {
		fmt.Fprintf(o.env.Err, "note: %s\n", n)
	}
	if err := o.flags.apply(cmd, &s, cfg); err != nil {
		return spec, err
	}
	wantBIOS, wantUEFI, err := o.halves(spec.Format, &s)
	if err != nil {
		return spec, usageError(cmd, err)
	}
	if cfg == nil && (len(s.Servers) == 0 || s.File == "" && s.FileBIOS == "") {
		e := usageError(cmd, errors.New("there is no site file, so --servers and --file or --file-bios are needed")).(*Error)
		e.Hints = append(e.Hints, "or name a site file: --config FILE")
		return spec, e
	}
	if spec.Settings = s; wantUEFI {
		if spec.ESP, err = o.programs(cmd); err != nil {
			return spec, err
		}
	}
	if wantBIOS {
		if spec.BIOS, err = bios.Load(o.paths); err != nil {
			return spec, err
		}
		if s.VLAN != 0 && o.paths.IPXE == "" {
			fmt.Fprintln(o.env.Err, "note: Debian's iPXE knows no VLANs, so BIOS machines will say E-NIC: name one that does (--ipxe), or leave VLANs to the switch")
		}
	}
	return spec, nil
}

// halves says which machines the image boots. Those that the flags do not name are those that there
// is a file for.
func (o *bdmBuildOptions) halves(format bdm.Format, s *bdm.Settings) (wantBIOS, wantUEFI bool, err error) {
	for _, f := range o.firmware {
		switch f {
		case "bios":
			wantBIOS = true
		case "uefi":
			wantUEFI = true
		default:
			return false, false, fmt.Errorf("--firmware: %q is neither bios nor uefi", f)
		}
	}
	if len(o.firmware) == 0 {
		wantUEFI, wantBIOS = s.File != "", s.FileBIOS != "" && format != bdm.Partition
	}
	switch {
	case wantBIOS && format == bdm.Partition:
		return false, false, errors.New("a partition boots UEFI machines only: BIOS machines need --format iso or usb")
	case wantUEFI && s.File == "" && len(s.Servers) > 0:
		return false, false, errors.New("--file names no bootstrap for UEFI machines")
	case wantBIOS && s.FileBIOS == "" && len(s.Servers) > 0:
		return false, false, errors.New("--file-bios names no bootstrap for BIOS machines")
	}
	if !wantUEFI {
		s.File, s.SHA256 = "", ""
	}
	if !wantBIOS {
		s.FileBIOS, s.SHA256BIOS = "", ""
	}
	return wantBIOS, wantUEFI, nil
}

// programs are the files of the UEFI half.
func (o *bdmBuildOptions) programs(cmd *cobra.Command) ([]bdm.File, error) {
	switch {
	case o.loader != "efi" && o.loader != "grub":
		return nil, usageError(cmd, fmt.Errorf("--loader: %q is neither efi nor grub", o.loader))
	case o.loader == "grub" && o.rootEFI != "":
		return nil, usageError(cmd, errors.New("--root-efi takes the place of our own program, which --loader grub leaves out"))
	case o.loader == "grub":
		return grub.Load(o.grub)
	}
	program := efi.Program()
	if o.rootEFI != "" {
		var err error
		if program, err = os.ReadFile(o.rootEFI); err != nil {
			return nil, fmt.Errorf("--root-efi: %w", err)
		}
		if !bytes.HasPrefix(program, []byte("MZ")) {
			return nil, fmt.Errorf("--root-efi: %s is no EFI program", o.rootEFI)
		}
	}
	return []bdm.File{{Path: "EFI/BOOT/BOOTX64.EFI", Data: program}}, nil
}

// absolute is a path that means the same from everywhere.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
