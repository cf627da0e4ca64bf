package testboot

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"fmt"
)

// discardable is IMAGE_SCN_MEM_DISCARDABLE (Microsoft PE format, "Section Flags").
const discardable = 0x02000000

// unloaded returns which bytes of an EFI program are not what they were once it is loaded, or need
// not be in memory at all: ImageBase, the padding behind each section, sections that a loader may
// discard. efi/self.c leaves out the same, since all it can see is the program in memory.
func unloaded(program []byte) ([]span, error) {
	f, err := pe.NewFile(bytes.NewReader(program))
	if err != nil {
		return nil, fmt.Errorf("read PE headers of test bootstrap: %w", err)
	}
	defer f.Close()
	if _, ok := f.OptionalHeader.(*pe.OptionalHeader64); !ok {
		return nil, fmt.Errorf("read PE headers of test bootstrap: not PE32+")
	}
	// The signature is 4 bytes, the file header 20; ImageBase is at 24 of the optional header.
	header := int(binary.LittleEndian.Uint32(program[0x3c:]))
	zeros := []span{{header + 4 + 20 + 24, 8}}
	for _, s := range f.Sections {
		kept := min(s.VirtualSize, s.Size)
		if s.Characteristics&discardable != 0 {
			kept = 0
		}
		zeros = append(zeros, span{int(s.Offset + kept), int(s.Size - kept)})
	}
	return zeros, nil
}
