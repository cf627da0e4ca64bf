package bdm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// The ISO 9660 side of an image (ECMA-119, El Torito 1.0): one folder with the BIOS loader's files,
// a boot catalogue with an entry for BIOS and one for UEFI. Without Rock Ridge, since isolinux finds
// names of 8 and 3.

const isoSector = 2048

// catalogueAt is where the boot catalogue stands: in the system area, behind the partition table. No
// file system knows of it, and a BIOS looks where the boot record says.
const catalogueAt = 15

// grubFolder is where GRUB looks for its script.
const grubFolder = "GRUB"

// isoFile is a file of the ISO: its content, or where in the image it lies already.
type isoFile struct {
	name string
	data []byte
	at   int64 // filled in: from the beginning of the image
	size int64
}

// isoTree lays the ISO out: descriptors, folder, catalogue, files one after the other.
type isoTree struct {
	files      []*isoFile
	esp        int64 // where the EFI system partition begins, and its length
	espSize    int64
	uefi       bool
	loader     *isoFile // what a BIOS starts; nil: none
	grub       *isoFile // GRUB's script, in a folder of its own; nil: none. GRUB takes the CD for what it was started from
	grubDir    uint32
	date       time.Time
	id         ID
	sectors    uint32 // of the whole image
	volume     string
	publisher  string
	pathL      uint32
	pathM      uint32
	root       uint32
	catalogue  uint32
	afterFiles int64
}

// layout gives everything its place, except the EFI system partition, which stands behind the files.
func (t *isoTree) layout() {
	next := uint32(16 + 3) // behind the three descriptors
	t.pathL, t.pathM, t.root, t.catalogue = next, next+1, next+2, catalogueAt
	next += 3
	if t.grub != nil {
		t.grubDir = next
		next++
	}
	for _, f := range t.files {
		if f.data == nil {
			continue
		}
		f.at, f.size = int64(next)*isoSector, int64(len(f.data))
		next += uint32((len(f.data) + isoSector - 1) / isoSector)
	}
	t.afterFiles = int64(next) * isoSector
}

// write puts the ISO's structures and files into the image.
func (t *isoTree) write(image []byte) error {
	root := t.dirRecord("\x00", t.root, isoSector, true)
	copy(image[16*isoSector:], t.primary(root))
	copy(image[17*isoSector:], t.bootRecord())
	copy(image[18*isoSector:], "\xffCD001\x01")
	for _, p := range []struct {
		at    uint32
		order binary.ByteOrder
	}{{t.pathL, binary.LittleEndian}, {t.pathM, binary.BigEndian}} {
		b := image[int(p.at)*isoSector:]
		b[0] = 1 // length of the name
		p.order.PutUint32(b[2:], t.root)
		p.order.PutUint16(b[6:], 1)
		if t.grub != nil { // ECMA-119 9.4: the root is 10 bytes, whose number is 1
			b = b[10:]
			b[0] = byte(len(grubFolder))
			p.order.PutUint32(b[2:], t.grubDir)
			p.order.PutUint16(b[6:], 1)
			copy(b[8:], grubFolder)
		}
	}
	if t.grub != nil {
		sub := append(t.dirRecord("\x00", t.grubDir, isoSector, true), t.dirRecord("\x01", t.root, isoSector, true)...)
		copy(image[int(t.grubDir)*isoSector:], append(sub, t.dirRecord(t.grub.name+";1", uint32(t.grub.at/isoSector), uint32(t.grub.size), false)...))
	}
	dir := append(bytes.Clone(root), t.dirRecord("\x01", t.root, isoSector, true)...)
	folder := t.grub != nil
	for _, f := range t.files { // in the order of their names (ECMA-119 9.3)
		if folder && f.name > grubFolder {
			dir, folder = append(dir, t.dirRecord(grubFolder, t.grubDir, isoSector, true)...), false
		}
		dir = append(dir, t.dirRecord(f.name+";1", uint32(f.at/isoSector), uint32(f.size), false)...)
	}
	if len(dir) > isoSector {
		return fmt.Errorf("too many files for the folder of the ISO")
	}
	copy(image[int(t.root)*isoSector:], dir)
	copy(image[int(t.catalogue)*isoSector:], t.bootCatalogue())
	for _, f := range t.files {
		copy(image[f.at:], f.data)
	}
	return nil
}

// both writes a number in both byte orders (ECMA-119 7.3.3, 7.2.3).
func both32(b []byte, v uint32) {
	binary.LittleEndian.PutUint32(b, v)
	binary.BigEndian.PutUint32(b[4:], v)
}

func both16(b []byte, v uint16) {
	binary.LittleEndian.PutUint16(b, v)
	binary.BigEndian.PutUint16(b[2:], v)
}

// dirRecord is an entry of a folder (ECMA-119 9.1).
func (t *isoTree) dirRecord(name string, at, size uint32, dir bool) []byte {
	n := 33 + len(name)
	n += n % 2
	b := make([]byte, n)
	b[0] = byte(n)
	both32(b[2:], at)
	both32(b[10:], size)
	y, m, d := t.date.Date()
	copy(b[18:], []byte{byte(y - 1900), byte(m), byte(d), 0, 0, 0, 0})
	if dir {
		b[25] = 2
	}
	both16(b[28:], 1)
	b[32] = byte(len(name))
	copy(b[33:], name)
	return b
}

// primary is the primary volume descriptor (ECMA-119 8.4).
func (t *isoTree) primary(root []byte) []byte {
	b := make([]byte, isoSector)
	copy(b, "\x01CD001\x01")
	text := func(at, size int, s string) {
		copy(b[at:at+size], s+strings.Repeat(" ", size))
	}
	text(8, 32, "")
	text(40, 32, t.volume)
	both32(b[80:], t.sectors)
	both16(b[120:], 1)
	both16(b[124:], 1)
	both16(b[128:], isoSector)
	both32(b[132:], 10)
	if t.grub != nil {
		both32(b[132:], 10+8+uint32(len(grubFolder)))
	}
	binary.LittleEndian.PutUint32(b[140:], t.pathL)
	binary.BigEndian.PutUint32(b[148:], t.pathM)
	copy(b[156:], root)
	text(190, 128, "")
	text(318, 128, t.publisher)
	text(446, 128, "")
	text(574, 128, "SUREFOOT BDM "+strings.ToUpper(t.id.String()))
	text(702, 3*37, "")
	day := t.date.Format("20060102") + "00000000\x00"
	copy(b[813:], day)
	copy(b[830:], day)
	copy(b[847:], "0000000000000000\x00")
	copy(b[864:], "0000000000000000\x00")
	b[881] = 1
	return b
}

// bootRecord points to the catalogue (El Torito 1.0, figure 7).
func (t *isoTree) bootRecord() []byte {
	b := make([]byte, isoSector)
	copy(b, "\x00CD001\x01EL TORITO SPECIFICATION")
	binary.LittleEndian.PutUint32(b[71:], t.catalogue)
	return b
}

// bootCatalogue lists what can be started: BIOS first, then UEFI, or one of them alone (El Torito
// 1.0, section 2; UEFI 2.10 section 13.3.2.1: platform 0xef).
func (t *isoTree) bootCatalogue() []byte {
	le := binary.LittleEndian
	entry := func(at int64, sectors int64) []byte {
		e := make([]byte, 32)
		e[0] = 0x88
		le.PutUint16(e[6:], uint16(min(sectors, 0xffff)))
		le.PutUint32(e[8:], uint32(at/isoSector))
		return e
	}
	const bios, efi = 0, 0xef
	check := make([]byte, 32)
	check[0], check[1] = 1, bios
	if t.loader == nil {
		check[1] = efi
	}
	copy(check[4:28], "SUREFOOT")
	check[30], check[31] = 0x55, 0xaa
	var sum uint16
	for i := 0; i < 32; i += 2 {
		sum += le.Uint16(check[i:])
	}
	le.PutUint16(check[28:], -sum)
	out := check
	if t.loader != nil {
		out = append(out, entry(t.loader.at, 4)...) // isolinux loads its own rest
	}
	if t.uefi {
		if t.loader != nil {
			head := make([]byte, 32)
			head[0], head[1] = 0x91, efi // the last section
			le.PutUint16(head[2:], 1)
			out = append(out, head...)
		}
		out = append(out, entry(t.esp, t.espSize/sector)...)
	}
	return out
}

// bootInfoEnd is where isolinux's boot information table ends.
const bootInfoEnd = 64

// bootInfo patches isolinux with what it has to know of where it lies: its boot information table.
func bootInfo(program []byte, at int64) ([]byte, error) {
	if len(program) < 64 {
		return nil, fmt.Errorf("the BIOS loader has %d bytes: it is no isolinux.bin", len(program))
	}
	b := bytes.Clone(program)
	var sum uint32
	padded := append(bytes.Clone(b), make([]byte, 3)...)
	for i := 64; i < len(b); i += 4 {
		sum += binary.LittleEndian.Uint32(padded[i:])
	}
	le := binary.LittleEndian
	le.PutUint32(b[8:], 16) // the primary volume descriptor
	le.PutUint32(b[12:], uint32(at/isoSector))
	le.PutUint32(b[16:], uint32(len(b)))
	le.PutUint32(b[20:], sum)
	clear(b[24:64])
	return b, nil
}
