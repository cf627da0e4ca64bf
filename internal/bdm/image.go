package bdm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Image is one of our images, or a disk that has one of our partitions, as it was found.
type Image struct {
	Form     string   `json:"form"` // in words
	Size     int64    `json:"size"`
	Settings Settings `json:"settings"`
	UEFI     []string `json:"uefi,omitempty"` // how UEFI machines boot it: cd, disk; none: they do not
	BIOS     []string `json:"bios,omitempty"` // and BIOS machines
	Programs []string `json:"programs"`       // paths of those of the UEFI half
	Problems []string `json:"problems,omitempty"`

	r     io.ReaderAt
	texts map[string]span // the texts that Set changes, by the names of their files
	esp   span
	iso   *isoView
	mine  *fatView
	disk  int64           // without the footer of a VHD
	cured map[string]bool // problems of the texts, which Set writes anew
}

// NotOursError says that there is none of our images.
type NotOursError struct {
	Size int64
	Why  []string // what was looked at, and why it is none
}

func (e *NotOursError) Error() string {
	return "no boot medium of Surefoot: " + strings.Join(e.Why, "; ")
}

// Open looks at an image or a disk of that size. What is there but wrong stands in Problems; an error
// says that nothing usable is there.
func Open(r io.ReaderAt, size int64) (*Image, error) {
	m := &Image{Size: size, r: r, texts: map[string]span{}, disk: size, cured: map[string]bool{}}
	if size < 2*sector {
		return nil, &NotOursError{size, []string{fmt.Sprintf("it has %d bytes", size)}}
	}
	if err := m.footer(); err != nil {
		return nil, err
	}
	why := &NotOursError{Size: size}
	iso, err := readISO(r, m.disk)
	switch {
	case err == nil:
		m.iso = iso
	case !errors.Is(err, errNotISO):
		m.problem("%v", err)
		why.Why = append(why.Why, err.Error())
	}
	if err := m.findESP(why); err != nil {
		return nil, err
	}
	if err := m.readESP(); err != nil {
		return nil, err
	}
	m.readLoader()
	return m, nil
}

func (m *Image) problem(format string, args ...any) {
	if p := fmt.Sprintf(format, args...); !slices.Contains(m.Problems, p) {
		m.Problems = append(m.Problems, p)
	}
}

// footer looks for the footer of a VHD.
func (m *Image) footer() error {
	b := make([]byte, sector)
	if _, err := m.r.ReadAt(b, m.Size/sector*sector-sector); err != nil {
		return fmt.Errorf("read the end: %w", err)
	}
	size, fixed, sumOK := isVHD(b)
	switch {
	case size == 0 && !fixed:
		return nil
	case !fixed:
		return errors.New("a VHD that grows as it is used: only fixed ones are read here")
	case !sumOK:
		m.problem("the footer of the VHD is damaged: its checksum is wrong")
	case size != m.Size-sector:
		m.problem("the VHD says its disk has %d bytes, and it has %d", size, m.Size-sector)
	}
	m.Form, m.disk = "fixed VHD", m.Size-sector
	return nil
}

// findESP finds our EFI system partition: in the partition table, in the boot catalogue, or alone.
func (m *Image) findESP(why *NotOursError) error {
	sectors := uint64(m.disk) / sector
	first, err1 := readGPT(m.r, 1, sectors)
	last, err2 := readGPT(m.r, sectors-1, sectors)
	table := first
	if first == nil {
		table = last
	}
	if table != nil {
		for _, p := range table.parts() {
			if v, err := readFAT(io.NewSectionReader(m.r, p.offset(), p.size()), p.size()); err == nil && v.ours() {
				m.esp, m.mine = span{p.offset(), p.size()}, v
				m.UEFI = append(m.UEFI, "disk")
				if m.Form == "" {
					m.Form = "disk with a partition table (GPT)"
				}
				break
			} else if err != nil && !errors.Is(err, errNotFAT) {
				why.Why = append(why.Why, fmt.Sprintf("partition %d: %v", p.Number, err))
			}
		}
		if err1 != nil {
			m.problem("%v", err1)
		}
		if err2 != nil && (first == nil || first.other == sectors-1) {
			m.problem("the copy of the partition table at the end is damaged or missing: %v", err2)
		} else if first != nil && first.other != sectors-1 && m.iso == nil {
			m.problem("the copy of the partition table is not at the end: the disk is larger than the image that was written to it")
		}
	} else {
		why.Why = append(why.Why, err1.Error())
	}
	if m.iso != nil {
		if m.Form == "" || strings.HasPrefix(m.Form, "disk") {
			m.Form = "hybrid ISO (CD and disk)"
		}
		if size := m.disk - m.iso.uefi; m.iso.uefi > 0 && size > 0 {
			if v, err := readFAT(io.NewSectionReader(m.r, m.iso.uefi, size), size); err == nil && v.ours() {
				if m.mine == nil {
					m.esp, m.mine = span{m.iso.uefi, v.sectors * sector}, v
					m.problem("the partition table is damaged: UEFI machines boot this as a CD only")
				} else if m.esp.at != m.iso.uefi {
					m.problem("partition table and boot catalogue name different EFI system partitions")
				}
				m.UEFI = append(m.UEFI, "cd")
			} else {
				m.problem("the boot catalogue's entry for UEFI leads nowhere")
			}
		}
		if m.mine == nil { // a BIOS-only ISO whose table is broken
			if s, ok := m.iso.files[TextName]; ok {
				why.Why = append(why.Why, fmt.Sprintf("the EFI system partition is damaged (its %s should be at %d)", TextName, s.at))
			}
		}
	}
	if m.mine == nil {
		v, err := readFAT(m.r, m.disk)
		if err == nil && v.ours() {
			m.esp, m.mine, m.Form = span{0, v.sectors * sector}, v, "EFI system partition alone"
			m.UEFI = append(m.UEFI, "partition")
			m.Problems = nil // there is no table whose copy could be missing
		} else if err != nil {
			why.Why = append(why.Why, err.Error())
		} else {
			why.Why = append(why.Why, "a FAT file system without "+TextName)
		}
	}
	if m.mine == nil {
		return why
	}
	return nil
}

// ours reports whether the file system has our text in its root.
func (v *fatView) ours() bool {
	files, _ := v.files()
	return slices.ContainsFunc(files, func(f fatFile) bool { return f.Path == TextName })
}

// readESP reads the Settings and the programs of the UEFI half.
func (m *Image) readESP() error {
	files, err := m.mine.files()
	if err != nil {
		m.problem("the EFI system partition: %v", err)
	}
	if !m.mine.same() {
		m.problem("the EFI system partition is damaged: its two allocation tables differ")
	}
	slices.SortFunc(files, func(a, b fatFile) int { return strings.Compare(a.Path, b.Path) })
	var programs [][]byte
	for _, f := range files {
		base := f.Path[strings.LastIndexByte(f.Path, '/')+1:]
		b, err := m.mine.read(f)
		if f.Path == TextName || base == GRUBName {
			at, err2 := m.mine.place(f)
			if err = errors.Join(err, err2); err == nil {
				m.texts[base] = span{m.esp.at + at, f.size}
			}
		}
		switch {
		case f.Path == TextName && err != nil:
			return fmt.Errorf("the image's settings: %w", err)
		case err != nil:
			m.problem("the EFI system partition: %v", err)
		case f.Path == TextName:
			var sum *SumError
			if m.Settings, err = Decode(b); errors.As(err, &sum) {
				m.problem("%v", err)
				m.cured[err.Error()] = true
			} else if err != nil {
				return fmt.Errorf("the image's settings: %w", err)
			}
		case base != GRUBName:
			m.Programs = append(m.Programs, f.Path)
			programs = append(programs, b)
		}
	}
	got := ""
	if len(programs) > 0 {
		got = sumOf(func(yield func([]byte)) {
			for _, p := range programs {
				yield(p)
			}
		})
	}
	if want := m.Settings.Sums.UEFI; got != want {
		m.problem("the programs for UEFI machines are damaged, or others than were built in: sum %s, not %s", orNone(got), orNone(want))
	}
	if !slices.Contains(m.Programs, "EFI/BOOT/BOOTX64.EFI") {
		m.UEFI = nil
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// readLoader reads the BIOS half.
func (m *Image) readLoader() {
	if m.iso == nil || m.Settings.Sums.BIOS == "" {
		return
	}
	var parts [][]byte
	code := make([]byte, 432)
	_, err := m.r.ReadAt(code, 0)
	parts = append(parts, code)
	for _, name := range []string{"ISOLINUX.BIN", "LDLINUX.C32", "IPXE.KRN", "ISOLINUX.CFG", ScriptName} {
		s, ok := m.iso.files[name]
		switch {
		case !ok:
			m.problem("the BIOS half lacks %s", name)
			return
		case s.size > maxRead || s.size < bootInfoEnd && name == "ISOLINUX.BIN":
			m.problem("the BIOS half's %s has %d bytes", name, s.size)
			return
		case name == ScriptName:
			m.texts[ScriptName] = s
			continue
		}
		b := make([]byte, s.size)
		_, e := m.r.ReadAt(b, s.at)
		err = errors.Join(err, e)
		if name == "ISOLINUX.BIN" {
			if again, e := bootInfo(b, s.at); e != nil || !bytes.Equal(again[:bootInfoEnd], b[:bootInfoEnd]) || m.iso.bios != s.at {
				m.problem("the BIOS half cannot start: isolinux does not find itself")
			}
			b = b[bootInfoEnd:]
		}
		parts = append(parts, b)
	}
	if err != nil {
		m.problem("read the BIOS half: %v", err)
		return
	}
	m.BIOS = []string{"cd", "disk"}
	if got := sumOf(func(yield func([]byte)) {
		for _, p := range parts {
			yield(p)
		}
	}); got != m.Settings.Sums.BIOS {
		m.problem("the programs for BIOS machines are damaged, or others than were built in: sum %s, not %s", got, m.Settings.Sums.BIOS)
	}
}

// CheckTexts compares the texts that follow from the Settings with those that are there.
func (m *Image) CheckTexts(texts Texts) {
	for name, s := range m.texts {
		derive := texts[name]
		if derive == nil {
			continue
		}
		b := make([]byte, min(s.size, maxRead))
		want, err := derive(m.Settings)
		if _, e := m.r.ReadAt(b, s.at); e != nil || err != nil || !bytes.Equal(b, want) {
			p := name + " is not what the settings say: it was edited by hand, is damaged, or of another version of Surefoot"
			m.problem("%s", p)
			m.cured[p] = true
		}
	}
}
