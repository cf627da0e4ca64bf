package testboot

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"surefoot/internal/boot"
)

func TestFilesCarryNodeLengthAndSum(t *testing.T) {
	for _, tc := range []struct{ node, want string }{
		{"boot1", "boot1"},
		{"", "unnamed"},
		{"rack-4.example_net", "rack-4.example_net"},
		{"two words", "two-words"},
		{"böot\x00\n1", "b-ot--1"},
		{strings.Repeat("n", 31), strings.Repeat("n", 31)},
		{strings.Repeat("n", 32) + "tail", strings.Repeat("n", 31)},
		{"../../etc/passwd", "..-..-etc-passwd"},
	} {
		files := Files(tc.node)
		if len(files) != 2 {
			t.Fatalf("Files(%q) has %d files, want 2", tc.node, len(files))
		}
		for _, name := range []string{boot.TestBootstrapBIOS, boot.TestBootstrapX64} {
			program := files[name]
			s, err := findSlot(program)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := s.node(program); got != tc.want {
				t.Errorf("%s for %q says node %q, want %q", name, tc.node, got, tc.want)
			}
			if got := binary.LittleEndian.Uint32(program[s.at+slotLength:]); int(got) != len(program) {
				t.Errorf("%s for %q says length %d, is %d", name, tc.node, got, len(program))
			}
			if got, want := s.sum(program), crc32.ChecksumIEEE(s.summed(program)); got != want {
				t.Errorf("%s for %q says sum %08x, want %08x", name, tc.node, got, want)
			}
		}
	}
}

func TestFilesAreFresh(t *testing.T) {
	a := Files("a")
	clear(a[boot.TestBootstrapBIOS])
	clear(a[boot.TestBootstrapX64])
	for name, program := range Files("a") {
		if bytes.Equal(program, a[name]) {
			t.Errorf("%s: a caller's change reached the next caller", name)
		}
	}
}

func TestOnlyTheSlotDiffersBetweenNodes(t *testing.T) {
	one, two := Files("boot1"), Files("boot2")
	for name := range one {
		s, err := findSlot(one[name])
		if err != nil {
			t.Fatal(err)
		}
		for i := range one[name] {
			inSlot := i >= s.at+slotSum && i < s.at+slotNode+nodeSize
			if one[name][i] != two[name][i] && !inSlot {
				t.Errorf("%s: byte %d differs, the slot is at %d", name, i, s.at)
			}
		}
	}
}

// A bit that flips anywhere must be noticed, save where the loader writes or never looks: those
// bytes are few.
func TestSumCoversTheFile(t *testing.T) {
	for name, program := range Files("boot1") {
		s, err := findSlot(program)
		if err != nil {
			t.Fatal(err)
		}
		blind := 0
		for i := range program {
			damaged := bytes.Clone(program)
			damaged[i] ^= 0x10
			if i >= s.at+slotSum && i < s.at+slotSum+4 {
				continue // the sum itself
			}
			if crc32.ChecksumIEEE(s.summed(damaged)) == s.sum(program) {
				blind++
			}
		}
		limit := 0
		if name == boot.TestBootstrapX64 {
			limit = len(program) / 4 // padding of sections to 512 bytes, the relocation table
		}
		if blind > limit {
			t.Errorf("%s: %d bytes of %d are outside the sum, want at most %d", name, blind, len(program), limit)
		}
	}
}

func TestSizes(t *testing.T) {
	files := Files("boot1")
	if n := len(files[boot.TestBootstrapBIOS]); n > 4<<10 {
		t.Errorf("the BIOS program has %d bytes, want 4 KiB at most", n)
	}
	if n := len(files[boot.TestBootstrapX64]); n > 12<<10 {
		t.Errorf("the UEFI program has %d bytes, want 12 KiB at most", n)
	}
}

func TestPEHeaderIsSane(t *testing.T) {
	program := Files("boot1")[boot.TestBootstrapX64]
	f, err := pe.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 {
		t.Fatalf("machine %#x, header %T: want an x64 PE32+", f.Machine, f.OptionalHeader)
	}
	if h.Subsystem != pe.IMAGE_SUBSYSTEM_EFI_APPLICATION {
		t.Errorf("subsystem %d, want an EFI application", h.Subsystem)
	}
	if f.TimeDateStamp != 0 {
		t.Errorf("it carries the time %d: not reproducible", f.TimeDateStamp)
	}
	if f.Characteristics&pe.IMAGE_FILE_RELOCS_STRIPPED != 0 {
		t.Error("it cannot be relocated: firmware may refuse it")
	}
	if reloc := h.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_BASERELOC]; reloc.Size != 12 {
		t.Errorf("its relocations take %d bytes, want 12: the anchor's, and no other that would change the sum", reloc.Size)
	}
	end := h.SizeOfHeaders
	for _, s := range f.Sections {
		if s.Size > 0 && s.Offset != end {
			t.Errorf("section %s starts at %d, want %d: bytes between sections are never loaded", s.Name, s.Offset, end)
		}
		end += s.Size
		const writeAndRun = pe.IMAGE_SCN_MEM_WRITE | pe.IMAGE_SCN_MEM_EXECUTE
		if s.Characteristics&writeAndRun == writeAndRun {
			t.Errorf("section %s can be written and run: firmware may refuse it", s.Name)
		}
	}
	if int(end) != len(program) {
		t.Errorf("its sections end at %d, the file at %d", end, len(program))
	}
}

func TestFindSlotRefuses(t *testing.T) {
	good := Files("boot1")
	bios, x64 := good[boot.TestBootstrapBIOS], good[boot.TestBootstrapX64]
	marker := bytes.Index(bios, []byte(slotMarker))
	for name, program := range map[string][]byte{
		"empty":        nil,
		"no marker":    bytes.Repeat([]byte{0}, 1024),
		"two markers":  append(bytes.Clone(bios), slotMarker...),
		"cut in slot":  bios[:marker+slotNode+4],
		"no PE header": append([]byte("MZ"), bios...),
		"cut PE":       append(bytes.Clone(x64[:64]), slotMarker...),
	} {
		if s, err := findSlot(program); err == nil {
			t.Errorf("%s: found a slot at %d, want an error", name, s.at)
		}
	}
}
