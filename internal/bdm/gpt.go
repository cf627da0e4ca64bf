package bdm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf16"
)

// The partition table of UEFI (UEFI 2.10 section 5.3). Only what is needed is taken apart: entries
// of others stay the bytes that they are.

const (
	gptSignature = "EFI PART"
	gptEntries   = 128
	gptEntrySize = 128
	gptTable     = gptEntries * gptEntrySize / sector // sectors of the table
	gptFirst     = 2 + gptTable                       // the first sector that a partition may have

	maxGPTTable = 1 << 20 // bytes: larger ones are not read
)

// guid is a GUID in the order of its bytes on the disk.
type guid [16]byte

// The types of partitions that are told apart.
var (
	typeESP    = mustGUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
	typeLoader = mustGUID("8da63339-0007-60c0-c436-083ac8230908") // "Linux reserved": nobody's file system
)

// mustGUID reads a GUID as people write it.
func mustGUID(s string) guid {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil {
		panic(err)
	}
	for _, swap := range [][2]int{{0, 3}, {1, 2}, {4, 5}, {6, 7}} {
		b[swap[0]], b[swap[1]] = b[swap[1]], b[swap[0]]
	}
	return guid(b)
}

func (g guid) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", []byte{g[3], g[2], g[1], g[0]}, []byte{g[5], g[4]}, []byte{g[7], g[6]}, g[8:10], g[10:])
}

// guidOf makes a GUID that is always the same for the same image and use (RFC 9562 section 5.8).
func guidOf(id ID, use string) guid {
	h := sha256.Sum256(append(id[:], use...))
	g := guid(h[:16])
	g[7] = g[7]&0x0f | 0x80 // version 8; the third group is little-endian here
	g[8] = g[8]&0x3f | 0x80
	return g
}

// gpt is a partition table.
type gpt struct {
	disk        guid
	first, last uint64 // sectors that partitions may have
	entrySize   int
	table       []byte
	own         uint64 // sector of the header that it was read from
	other       uint64 // of the other one
	tableAt     uint64 // sector of the table
	revision    uint32
}

// newGPT makes an empty table for a disk of so many sectors.
func newGPT(disk guid, sectors uint64) *gpt {
	return &gpt{
		disk: disk, first: gptFirst, last: sectors - gptTable - 2, entrySize: gptEntrySize,
		table: make([]byte, gptEntries*gptEntrySize), own: 1, other: sectors - 1, tableAt: 2, revision: 0x10000,
	}
}

// part is a partition.
type part struct {
	Number      int    // from 1
	Type        guid   `json:"-"`
	Unique      guid   `json:"-"`
	First, Last uint64 // sectors, both of them belong to it
	Name        string
}

func (p part) offset() int64 { return int64(p.First) * sector }
func (p part) size() int64   { return int64(p.Last-p.First+1) * sector }

// parts lists the partitions that are there.
func (g *gpt) parts() []part {
	var out []part
	for i := 0; (i+1)*g.entrySize <= len(g.table); i++ {
		e := g.table[i*g.entrySize:][:g.entrySize]
		if guid(e[:16]) == (guid{}) {
			continue
		}
		var name []uint16
		for j := 56; j+1 < 128; j += 2 {
			u := binary.LittleEndian.Uint16(e[j:])
			if u == 0 {
				break
			}
			name = append(name, u)
		}
		out = append(out, part{
			Number: i + 1, Type: guid(e[:16]), Unique: guid(e[16:32]), First: binary.LittleEndian.Uint64(e[32:]),
			Last: binary.LittleEndian.Uint64(e[40:]), Name: string(utf16.Decode(name)),
		})
	}
	return out
}

// add puts a partition into the first free entry and returns its number.
func (g *gpt) add(p part) (int, error) {
	for i := 0; (i+1)*g.entrySize <= len(g.table); i++ {
		e := g.table[i*g.entrySize:][:g.entrySize]
		if guid(e[:16]) != (guid{}) {
			continue
		}
		clear(e)
		copy(e, p.Type[:])
		copy(e[16:], p.Unique[:])
		binary.LittleEndian.PutUint64(e[32:], p.First)
		binary.LittleEndian.PutUint64(e[40:], p.Last)
		for j, u := range utf16.Encode([]rune(p.Name)) {
			binary.LittleEndian.PutUint16(e[56+2*j:], u)
		}
		return i + 1, nil
	}
	return 0, fmt.Errorf("the partition table has no free entry: all %d are taken", len(g.table)/g.entrySize)
}

// tableSectors is how many sectors the table takes.
func (g *gpt) tableSectors() uint64 { return uint64(len(g.table)+sector-1) / sector }

// header writes the header that stands at a sector.
func (g *gpt) header(own, other, tableAt uint64) []byte {
	b := make([]byte, sector)
	le := binary.LittleEndian
	copy(b, gptSignature)
	le.PutUint32(b[8:], g.revision)
	le.PutUint32(b[12:], 92)
	le.PutUint64(b[24:], own)
	le.PutUint64(b[32:], other)
	le.PutUint64(b[40:], g.first)
	le.PutUint64(b[48:], g.last)
	copy(b[56:], g.disk[:])
	le.PutUint64(b[72:], tableAt)
	le.PutUint32(b[80:], uint32(len(g.table)/g.entrySize))
	le.PutUint32(b[84:], uint32(g.entrySize))
	le.PutUint32(b[88:], crc32.ChecksumIEEE(g.table))
	le.PutUint32(b[16:], crc32.ChecksumIEEE(b[:92]))
	return b
}

// padded is the table in whole sectors.
func (g *gpt) padded() []byte {
	return append(bytes.Clone(g.table), make([]byte, int(g.tableSectors())*sector-len(g.table))...)
}

// primary is what stands from sector 1 on; backup what stands up to the end of a disk.
func (g *gpt) primary(sectors uint64) []byte {
	return append(g.header(1, sectors-1, 2), g.padded()...)
}

func (g *gpt) backup(sectors uint64) []byte {
	return append(g.padded(), g.header(sectors-1, 1, sectors-1-g.tableSectors())...)
}

// readGPT reads the table whose header stands at a sector.
func readGPT(r io.ReaderAt, at uint64, sectors uint64) (*gpt, error) {
	b := make([]byte, sector)
	if at >= sectors {
		return nil, fmt.Errorf("sector %d, where a partition table should be, lies behind the end", at)
	}
	if _, err := r.ReadAt(b, int64(at)*sector); err != nil {
		return nil, fmt.Errorf("read the partition table: %w", err)
	}
	le := binary.LittleEndian
	if string(b[:8]) != gptSignature {
		return nil, fmt.Errorf("no partition table (GPT) at sector %d", at)
	}
	size := le.Uint32(b[12:])
	if size < 92 || size > sector {
		return nil, fmt.Errorf("partition table at sector %d: a header of %d bytes", at, size)
	}
	sum := le.Uint32(b[16:])
	le.PutUint32(b[16:], 0)
	if crc32.ChecksumIEEE(b[:size]) != sum {
		return nil, fmt.Errorf("partition table at sector %d: the header's checksum is wrong", at)
	}
	g := &gpt{
		revision: le.Uint32(b[8:]), own: le.Uint64(b[24:]), other: le.Uint64(b[32:]), first: le.Uint64(b[40:]), last: le.Uint64(b[48:]),
		disk: guid(b[56:72]), tableAt: le.Uint64(b[72:]), entrySize: int(le.Uint32(b[84:])),
	}
	n := uint64(le.Uint32(b[80:])) * uint64(g.entrySize)
	switch {
	case g.own != at:
		return nil, fmt.Errorf("partition table at sector %d: it says it stands at %d", at, g.own)
	case g.entrySize < 128 || g.entrySize%128 != 0 || n == 0 || n > maxGPTTable:
		return nil, fmt.Errorf("partition table at sector %d: %d entries of %d bytes", at, le.Uint32(b[80:]), g.entrySize)
	case g.tableAt >= sectors || (n+sector-1)/sector > sectors-g.tableAt:
		return nil, fmt.Errorf("partition table at sector %d: its entries lie behind the end", at)
	case g.first > g.last || g.last >= sectors:
		return nil, fmt.Errorf("partition table at sector %d: partitions may lie from sector %d to %d, of %d", at, g.first, g.last, sectors)
	}
	g.table = make([]byte, n)
	if _, err := r.ReadAt(g.table, int64(g.tableAt)*sector); err != nil {
		return nil, fmt.Errorf("read the partition table: %w", err)
	}
	if crc32.ChecksumIEEE(g.table) != le.Uint32(b[88:]) {
		return nil, fmt.Errorf("partition table at sector %d: the checksum of its entries is wrong", at)
	}
	for _, p := range g.parts() {
		if p.First > p.Last || p.First < g.first || p.Last > g.last {
			return nil, fmt.Errorf("partition %d lies from sector %d to %d, outside of the disk", p.Number, p.First, p.Last)
		}
	}
	return g, nil
}
