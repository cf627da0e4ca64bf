package bdm

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The file system of an image's EFI system partition: FAT12, as small as its files allow (Microsoft's
// FAT specification 1.03; UEFI 2.10 section 13.3). Files lie in one piece, in the order in which
// they were given, and the first begins at a multiple of 2048 bytes, so that an ISO 9660 directory
// can name it as well.

const sector = 512

// maxFAT12 is how many clusters make a FAT16 of it.
const maxFAT12 = 4084

// File is a file of an EFI system partition: a path of names of 8 and 3 capitals, as in
// EFI/BOOT/BOOTX64.EFI.
type File struct {
	Path string
	Data []byte
}

// fat is a file system in the making.
type fat struct {
	perCluster, reserved, fatSize, clusters int
	table                                   []uint16
	data                                    []byte // from the first cluster on
	date                                    uint16
}

// buildFAT returns the file system and where in it each file begins.
func buildFAT(files []File, id ID, date uint16) (image []byte, at map[string]int64, err error) {
	f := &fat{date: date}
	for f.perCluster = 1; ; f.perCluster *= 2 {
		if f.perCluster > 64 {
			return nil, nil, fmt.Errorf("the programs are too large for a FAT12 file system")
		}
		if f.clusters = f.need(files); f.clusters <= maxFAT12 {
			break
		}
	}
	f.fatSize = ((f.clusters+2)*3/2 + 1 + sector - 1) / sector
	f.reserved = 1
	for (f.reserved+2*f.fatSize+1)%4 != 0 { // 1: the root directory
		f.reserved++
	}
	f.table = append(f.table, 0xff8, 0xfff)
	root := fatEntry("SUREFOOT", "   ", 0x08, 0, 0, date) // the volume's label
	at = map[string]int64{}
	dirs := map[string][]byte{"": root}
	order := []string{""}
	for _, file := range files { // files first, so that the first one begins the data
		at[file.Path] = f.start() + int64(len(f.data))
		first := f.add(file.Data)
		dir, name := "", file.Path
		if i := strings.LastIndexByte(file.Path, '/'); i >= 0 {
			dir, name = file.Path[:i], file.Path[i+1:]
		}
		for i := range dir { // every folder on the way
			if dir[i] == '/' {
				order = folder(dirs, order, dir[:i])
			}
		}
		order = folder(dirs, order, dir)
		base, ext, err := shortName(name)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file.Path, err)
		}
		dirs[dir] = append(dirs[dir], fatEntry(base, ext, 0x20, first, len(file.Data), date)...)
	}
	if err := f.link(dirs, order); err != nil {
		return nil, nil, err
	}
	return f.bytes(dirs[""], id), at, nil
}

func folder(dirs map[string][]byte, order []string, dir string) []string {
	if _, ok := dirs[dir]; !ok {
		dirs[dir] = nil
		order = append(order, dir)
	}
	return order
}

// link gives every folder a cluster and an entry in the folder above it.
func (f *fat) link(dirs map[string][]byte, order []string) error {
	at := map[string]int{}
	size := f.perCluster * sector
	for _, dir := range order[1:] {
		at[dir] = f.add(make([]byte, size))
	}
	for _, dir := range order[1:] {
		up, name := "", dir
		if i := strings.LastIndexByte(dir, '/'); i >= 0 {
			up, name = dir[:i], dir[i+1:]
		}
		base, ext, err := shortName(name)
		if err != nil {
			return err
		}
		dirs[up] = append(dirs[up], fatEntry(base, ext, 0x10, at[dir], 0, f.date)...)
	}
	for _, dir := range order[1:] {
		up := ""
		if i := strings.LastIndexByte(dir, '/'); i >= 0 {
			up = dir[:i]
		}
		b := append(fatEntry(".", "", 0x10, at[dir], 0, f.date), fatEntry("..", "", 0x10, at[up], 0, f.date)...)
		if b = append(b, dirs[dir]...); len(b) > size {
			return fmt.Errorf("too many files in folder %s", dir)
		}
		copy(f.data[(at[dir]-2)*size:], b)
	}
	if len(dirs[""]) > sector {
		return fmt.Errorf("too many files in the root folder")
	}
	return nil
}

// need counts the clusters for files and folders.
func (f *fat) need(files []File) int {
	size := f.perCluster * sector
	n, dirs := 0, map[string]bool{}
	for _, file := range files {
		n += (len(file.Data) + size - 1) / size
		for i, r := range file.Path {
			if r == '/' {
				dirs[file.Path[:i]] = true
			}
		}
	}
	return n + len(dirs)
}

// start is where the first cluster begins.
func (f *fat) start() int64 { return int64(f.reserved+2*f.fatSize+1) * sector }

// add appends data in whole clusters and returns the first one's number, 0 for no data.
func (f *fat) add(data []byte) int {
	size := f.perCluster * sector
	n := (len(data) + size - 1) / size
	if n == 0 {
		return 0
	}
	first := len(f.table)
	for i := range n {
		next := uint16(first + i + 1)
		if i == n-1 {
			next = 0xfff
		}
		f.table = append(f.table, next)
	}
	f.data = append(f.data, data...)
	f.data = append(f.data, make([]byte, n*size-len(data))...)
	return first
}

func (f *fat) bytes(root []byte, id ID) []byte {
	total := int(f.start())/sector + f.clusters*f.perCluster
	b := make([]byte, total*sector)
	le := binary.LittleEndian
	copy(b, "\xeb\x3c\x90SUREFOOT")
	le.PutUint16(b[11:], sector)
	b[13] = byte(f.perCluster)
	le.PutUint16(b[14:], uint16(f.reserved))
	b[16] = 2
	le.PutUint16(b[17:], sector/32)
	if total < 1<<16 {
		le.PutUint16(b[19:], uint16(total))
	} else {
		le.PutUint32(b[32:], uint32(total))
	}
	b[21] = 0xf8
	le.PutUint16(b[22:], uint16(f.fatSize))
	le.PutUint16(b[24:], 32) // sectors of a track and heads: nobody asks for them any more
	le.PutUint16(b[26:], 64)
	b[36], b[38] = 0x80, 0x29
	copy(b[39:43], id[:4])
	copy(b[43:], "SUREFOOT   FAT12   ")
	copy(b[codeAt:], bootSector())
	b[510], b[511] = 0x55, 0xaa
	table := make([]byte, f.fatSize*sector)
	for i, v := range f.table {
		at := i * 3 / 2
		if i%2 == 0 {
			table[at] = byte(v)
			table[at+1] |= byte(v >> 8)
		} else {
			table[at] |= byte(v << 4)
			table[at+1] = byte(v >> 4)
		}
	}
	copy(b[f.reserved*sector:], table)
	copy(b[(f.reserved+f.fatSize)*sector:], table)
	copy(b[(f.reserved+2*f.fatSize)*sector:], root)
	copy(b[f.start():], f.data)
	return b
}

// bootSector is the program that a BIOS runs when somebody sends it here: it says a line and waits.
func bootSector() []byte {
	code := []byte{
		0xfa, 0x31, 0xc0, 0x8e, 0xd8, // cli; ds = 0
		0xbe, 0, 0, // si = the text
		0xac, 0x84, 0xc0, 0x74, 0x09, // each byte, until the NUL ...
		0xb4, 0x0e, 0xbb, 0x07, 0x00, 0xcd, 0x10, 0xeb, 0xf2, // ... to the screen
		0xf4, 0xeb, 0xfd, // hlt, for ever
	}
	binary.LittleEndian.PutUint16(code[6:], uint16(0x7c00+codeAt+len(code)))
	return append(code, "BDM: this partition boots UEFI machines only\r\n\x00"...)
}

// codeAt is where the program begins, to which the first bytes of the sector jump.
const codeAt = 62

// fatEntry is an entry of a folder.
func fatEntry(base, ext string, attr byte, first, size int, date uint16) []byte {
	e := make([]byte, 32)
	copy(e, fmt.Sprintf("%-8s%-3s", base, ext))
	e[11] = attr
	le := binary.LittleEndian
	le.PutUint16(e[16:], date)
	le.PutUint16(e[18:], date)
	le.PutUint16(e[24:], date)
	le.PutUint16(e[26:], uint16(first))
	le.PutUint32(e[28:], uint32(size))
	return e
}

func shortName(name string) (base, ext string, err error) {
	base, ext, _ = strings.Cut(name, ".")
	if base == "" || len(base) > 8 || len(ext) > 3 || strings.ToUpper(name) != name {
		return "", "", fmt.Errorf("%q is not a name of 8 and 3 capitals", name)
	}
	return base, ext, nil
}
