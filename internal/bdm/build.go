package bdm

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"
)

// Format is the form of an image.
type Format string

const (
	ISO       Format = "iso"       // hybrid: a CD, and a disk when it is written to one
	USB       Format = "usb"       // a disk of whole megabytes
	Raw       Format = "raw"       // a disk, as small as it can be
	VHD       Format = "vhd"       // a fixed VHD
	Partition Format = "partition" // an EFI system partition alone
)

// Formats lists them in the order of the help text.
func Formats() []Format { return []Format{ISO, USB, Partition, VHD, Raw} }

// ParseFormat reads a format's name.
func ParseFormat(s string) (Format, error) {
	if f := Format(s); slices.Contains(Formats(), f) {
		return f, nil
	}
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return "", fmt.Errorf("%q is not a format (one of %s)", s, strings.Join(names, ", "))
}

// Text makes a text that an image derives from its Settings, of a size that never changes.
type Text func(Settings) ([]byte, error)

// Texts are those by the names of their files: the BIOS half's script, and GRUB's.
type Texts map[string]Text

// The names of the files that are Texts.
const (
	ScriptName = "BDM.IPX"
	GRUBName   = "GRUB.CFG"
)

// BIOS are the programs of the BIOS half, which come from Debian packages.
type BIOS struct {
	MBR      []byte // isohdpfx.bin
	Isolinux []byte // isolinux.bin
	Ldlinux  []byte // ldlinux.c32
	IPXE     []byte // ipxe.lkrn
	Config   []byte // isolinux.cfg
}

// grubPath is where Debian's network GRUB finds its script.
const grubPath = grubFolder + "/" + GRUBName

// Spec is what to build.
type Spec struct {
	Format   Format
	Settings Settings
	ESP      []File // the UEFI half's programs; none: the image boots BIOS machines only
	BIOS     *BIOS  // nil: it boots UEFI machines only
	Texts    Texts
}

// USB disks are whole megabytes. VHDs are larger: Hyper-V's own are never below 3 MB.
const (
	whole    = 1 << 20
	wholeVHD = 4 << 20
)

// Build makes the image. The same Spec makes the same bytes.
func Build(spec Spec) ([]byte, error) {
	s := spec.Settings
	s.Sums = spec.sums()
	text, err := s.Encode()
	if err != nil {
		return nil, err
	}
	date, err := time.Parse(time.DateOnly, s.Built)
	if err != nil || date.Year() < 1980 || date.Year() > 2107 {
		return nil, fmt.Errorf("built %s: file systems know the years 1980 to 2107", s.Built)
	}
	switch {
	case len(spec.ESP) == 0 && spec.BIOS == nil:
		return nil, fmt.Errorf("an image that boots neither BIOS nor UEFI machines")
	case spec.BIOS != nil && spec.Format == Partition:
		return nil, fmt.Errorf("a partition boots UEFI machines only: BIOS machines need an ISO or a disk")
	}
	files := append([]File{{TextName, text}}, spec.ESP...)
	if grub := spec.Texts[GRUBName]; grub != nil && slices.ContainsFunc(spec.ESP, func(f File) bool { return strings.HasSuffix(f.Path, "/GRUBX64.EFI") }) {
		cfg, err := grub(s)
		if err == nil && len(cfg) != TextSize {
			err = fmt.Errorf("the script for GRUB has %d bytes, not %d", len(cfg), TextSize)
		}
		if err != nil {
			return nil, err
		}
		files = slices.Insert(files, 1, File{grubPath, cfg}) // beside the settings, where CD sectors begin
	}
	day := uint16((date.Year()-1980)<<9 | int(date.Month())<<5 | date.Day())
	esp, at, err := buildFAT(files, s.ID, day)
	if err != nil {
		return nil, err
	}
	var image []byte
	switch {
	case spec.Format == Partition:
		return esp, nil
	case spec.Format == ISO || spec.BIOS != nil:
		image, err = spec.hybrid(s, esp, at, date)
	default:
		image, err = spec.disk(s, esp), nil
	}
	if err == nil && spec.Format == VHD {
		image = append(image, vhdFooter(int64(len(image)), s.ID, date)...)
	}
	return image, err
}

// sums are over the programs of each half.
func (spec Spec) sums() (s Sums) {
	if len(spec.ESP) > 0 {
		files := slices.SortedFunc(slices.Values(spec.ESP), func(a, b File) int { return strings.Compare(a.Path, b.Path) })
		s.UEFI = sumOf(func(yield func([]byte)) {
			for _, f := range files {
				yield(f.Data)
			}
		})
	}
	if b := spec.BIOS; b != nil {
		s.BIOS = sumOf(func(yield func([]byte)) {
			for _, p := range [][]byte{b.MBR, b.Isolinux[min(bootInfoEnd, len(b.Isolinux)):], b.Ldlinux, b.IPXE, b.Config} {
				yield(p)
			}
		})
	}
	return s
}

func sumOf(each func(func([]byte))) string {
	h := crc32.NewIEEE()
	each(func(b []byte) { _, _ = h.Write(b) })
	return fmt.Sprintf("%08x", h.Sum32())
}

// rounded is how many sectors a disk of at least so many bytes has, with room for the table's copy.
func (spec Spec) rounded(bytes int64) uint64 {
	bytes += (gptTable + 1) * sector
	unit := int64(isoSector)
	switch {
	case spec.Format == USB:
		unit = whole
	case spec.Format == VHD:
		unit = wholeVHD
	case spec.BIOS == nil && spec.Format == Raw:
		unit = sector
	}
	return uint64((bytes+unit-1)/unit*unit) / sector
}

// espAt is the sector at which the partition of a disk without a BIOS half begins.
const espAt = 64

// disk is a GPT disk with an EFI system partition and nothing else.
func (spec Spec) disk(s Settings, esp []byte) []byte {
	p := espPart(s.ID, espAt, len(esp))
	sectors := spec.rounded(p.offset() + int64(len(esp)))
	image := make([]byte, sectors*sector)
	spec.tables(image, s.ID, nil, 0, p)
	copy(image[p.offset():], esp)
	return image
}

func espPart(id ID, first uint64, size int) part {
	return part{Type: typeESP, Unique: guidOf(id, "esp"), First: first, Last: first + uint64(size)/sector - 1, Name: "Surefoot boot"}
}

// tables writes MBR and both GPTs of a disk.
func (spec Spec) tables(image []byte, id ID, code []byte, boot uint64, parts ...part) {
	sectors := uint64(len(image)) / sector
	g := newGPT(guidOf(id, "disk"), sectors)
	for _, p := range parts {
		_, _ = g.add(p) // there are 128
	}
	copy(image, mbr(code, boot, id, parts[0], sectors))
	copy(image[sector:], g.primary(sectors))
	copy(image[(sectors-gptTable-1)*sector:], g.backup(sectors))
}

// hybrid is an ISO that is a disk as well.
func (spec Spec) hybrid(s Settings, esp []byte, places map[string]int64, date time.Time) ([]byte, error) {
	t := &isoTree{date: date, id: s.ID, volume: "SUREFOOT_BDM", publisher: "SUREFOOT", espSize: int64(len(esp)), uefi: len(spec.ESP) > 0}
	text := &isoFile{name: TextName, size: TextSize}
	var code []byte
	var boot uint64
	if b := spec.BIOS; b != nil {
		script, err := spec.Texts[ScriptName](s)
		if err != nil {
			return nil, err
		}
		code = b.MBR
		t.loader = &isoFile{name: "ISOLINUX.BIN", data: b.Isolinux}
		t.files = []*isoFile{
			{name: ScriptName, data: script},
			{name: "IPXE.KRN", data: b.IPXE},
			t.loader,
			{name: "ISOLINUX.CFG", data: b.Config},
			{name: "LDLINUX.C32", data: b.Ldlinux},
		}
		if len(code) == 0 || len(code) > 432 {
			return nil, fmt.Errorf("isohdpfx.bin has %d bytes, not 432", len(code))
		}
	}
	t.files = append(t.files, text)
	if _, ok := places[grubPath]; ok {
		t.grub = &isoFile{name: GRUBName, size: int64(TextSize)}
	}
	t.layout()
	t.esp = t.afterFiles
	text.at = t.esp + places[TextName]
	if t.grub != nil {
		t.grub.at = t.esp + places[grubPath]
	}
	if t.loader != nil {
		var err error
		if t.loader.data, err = bootInfo(t.loader.data, t.loader.at); err != nil {
			return nil, err
		}
		boot = uint64(t.loader.at / sector)
	}
	sectors := spec.rounded(t.esp + int64(len(esp)))
	t.sectors = uint32(sectors * sector / isoSector)
	image := make([]byte, sectors*sector)
	if err := t.write(image); err != nil {
		return nil, err
	}
	parts := []part{espPart(s.ID, uint64(t.esp)/sector, len(esp))}
	if t.loader != nil {
		parts = append(parts, part{
			Type: typeLoader, Unique: guidOf(s.ID, "loader"), First: catalogueAt * isoSector / sector, Last: uint64(t.esp)/sector - 1, Name: "Surefoot BIOS loader",
		})
	}
	spec.tables(image, s.ID, code, boot, parts...)
	copy(image[t.esp:], esp)
	return image, nil
}
