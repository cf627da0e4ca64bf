package testboot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
)

// The slot is a structure in both programs, found by its marker (bios/nbp.asm and efi/self.c
// declare the same):
//
//	 0  marker  "surefoot.slot/1" and a NUL
//	16  length  of the whole file, little endian
//	20  sum     CRC-32 (IEEE) of the whole file, fields that a loader changes as zero
//	24  node    name, filled up with NULs: at most 31 bytes of text
//	56  anchor  EFI only: an address that the loader relocates
const (
	slotMarker = "surefoot.slot/1\x00"
	slotLength = 16
	slotSum    = 20
	slotNode   = 24
	slotAnchor = 56

	nodeSize = 32
)

// span is a range of bytes in a file: from, and how many.
type span struct{ at, n int }

// slot says where in a program the slot is and which bytes its checksum counts as zero.
type slot struct {
	at    int
	zeros []span
}

// findSlot finds the one slot of a program.
func findSlot(program []byte) (slot, error) {
	at := bytes.Index(program, []byte(slotMarker))
	if at < 0 {
		return slot{}, errors.New("find slot in test bootstrap: no marker")
	}
	if bytes.LastIndex(program, []byte(slotMarker)) != at {
		return slot{}, errors.New("find slot in test bootstrap: the marker is there twice")
	}
	s := slot{at: at, zeros: []span{{at + slotSum, 4}}}
	need := slotNode + nodeSize
	if bytes.HasPrefix(program, []byte("MZ")) {
		zeros, err := unloaded(program)
		if err != nil {
			return slot{}, err
		}
		s.zeros = append(append(s.zeros, span{at + slotAnchor, 8}), zeros...)
		need = slotAnchor + 8
	}
	if len(program) < at+need {
		return slot{}, errors.New("find slot in test bootstrap: it is cut")
	}
	return s, nil
}

// summed returns a copy of the program as the checksum sees it.
func (s slot) summed(program []byte) []byte {
	c := bytes.Clone(program)
	for _, z := range s.zeros {
		clear(c[z.at : z.at+z.n])
	}
	return c
}

func (s slot) sum(program []byte) uint32 {
	return binary.LittleEndian.Uint32(program[s.at+slotSum:])
}

// seal writes the length and the checksum, after everything else is in place.
func (s slot) seal(program []byte) {
	binary.LittleEndian.PutUint32(program[s.at+slotLength:], uint32(len(program)))
	sum := crc32.ChecksumIEEE(s.summed(program))
	binary.LittleEndian.PutUint32(program[s.at+slotSum:], sum)
}

func (s slot) node(program []byte) string {
	name, _, _ := strings.Cut(string(program[s.at+slotNode:s.at+slotNode+nodeSize]), "\x00")
	return name
}

func (s slot) setNode(program []byte, name string) {
	field := program[s.at+slotNode : s.at+slotNode+nodeSize]
	clear(field)
	copy(field[:nodeSize-1], name)
}

// nodeName turns any name into one that a BIOS screen shows and that stays one word in the report:
// letters, digits and ._- of ASCII, at most 31.
func nodeName(name string) string {
	if name == "" {
		return "unnamed"
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-", r):
			return r
		}
		return '-'
	}, name)
	return name[:min(len(name), nodeSize-1)]
}
