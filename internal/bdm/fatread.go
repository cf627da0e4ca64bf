package bdm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// fatView reads the file systems that buildFAT makes. It believes nothing: every number is compared
// with what there is.
type fatView struct {
	r          io.ReaderAt
	size       int64
	perCluster int64 // bytes
	data       int64 // where the clusters begin
	clusters   int
	table      []byte
	other      []byte // the second table
	root       []byte
	sectors    int64
}

// errNotFAT says that there is no file system of ours.
var errNotFAT = errors.New("no FAT12 file system")

// maxRead bounds what is read of one file: a damaged directory may claim 4 GB.
const maxRead = 16 << 20

func readFAT(r io.ReaderAt, size int64) (*fatView, error) {
	b := make([]byte, sector)
	if size < sector {
		return nil, errNotFAT
	}
	if _, err := r.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("read the file system: %w", err)
	}
	le := binary.LittleEndian
	perCluster, reserved, tables := int64(b[13]), int64(le.Uint16(b[14:])), int64(b[16])
	entries, total, fatSize := int64(le.Uint16(b[17:])), int64(le.Uint16(b[19:])), int64(le.Uint16(b[22:]))
	if total == 0 {
		total = int64(le.Uint32(b[32:]))
	}
	switch {
	case b[510] != 0x55 || b[511] != 0xaa || le.Uint16(b[11:]) != sector || b[0] != 0xeb:
		return nil, errNotFAT
	case perCluster == 0 || perCluster&(perCluster-1) != 0 || reserved == 0 || tables != 2 || entries == 0 || entries%16 != 0 || fatSize == 0:
		return nil, errNotFAT
	case total*sector > size:
		return nil, fmt.Errorf("the file system says it has %d bytes, and there are %d: the image was cut", total*sector, size)
	}
	start := reserved + tables*fatSize + entries/16
	if start >= total {
		return nil, errNotFAT
	}
	v := &fatView{
		r: r, size: size, perCluster: perCluster * sector, data: start * sector, sectors: total,
		clusters: int((total - start) / perCluster), table: make([]byte, fatSize*sector), other: make([]byte, fatSize*sector), root: make([]byte, entries*32),
	}
	if v.clusters > maxFAT12 || int64(len(v.table)) < int64(v.clusters+2)*3/2 {
		return nil, errNotFAT
	}
	for _, x := range []struct {
		to []byte
		at int64
	}{{v.table, reserved * sector}, {v.other, (reserved + fatSize) * sector}, {v.root, (reserved + tables*fatSize) * sector}} {
		if _, err := r.ReadAt(x.to, x.at); err != nil {
			return nil, fmt.Errorf("read the file system: %w", err)
		}
	}
	return v, nil
}

// same reports whether both allocation tables say the same.
func (v *fatView) same() bool { return bytes.Equal(v.table, v.other) }

func (v *fatView) next(c int) int {
	at := c * 3 / 2
	if at+1 >= len(v.table) {
		return 0
	}
	n := int(binary.LittleEndian.Uint16(v.table[at:]))
	if c%2 == 1 {
		return n >> 4
	}
	return n & 0xfff
}

// fatFile is a file or folder in it.
type fatFile struct {
	Path  string
	dir   bool
	first int
	size  int64
}

// files lists all files, in the order in which the folders name them.
func (v *fatView) files() ([]fatFile, error) {
	var out []fatFile
	var walk func(b []byte, path string, depth int) error
	walk = func(b []byte, path string, depth int) error {
		for ; len(b) >= 32 && b[0] != 0; b = b[32:] {
			if b[0] == 0xe5 || b[0] == '.' || b[11]&0x08 != 0 { // gone, this or upper folder, label or long name
				continue
			}
			f := fatFile{
				Path: path + shortText(b[:11]), dir: b[11]&0x10 != 0,
				first: int(binary.LittleEndian.Uint16(b[26:])), size: int64(binary.LittleEndian.Uint32(b[28:])),
			}
			if !f.dir {
				if out = append(out, f); len(out) > 1000 {
					return errors.New("more than 1000 files")
				}
				continue
			}
			if depth > 4 {
				return fmt.Errorf("folder %s lies too deep", f.Path)
			}
			f.size = v.perCluster
			inner, err := v.read(f)
			if err != nil {
				return err
			}
			if err := walk(inner, f.Path+"/", depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return out, walk(v.root, "", 0)
}

func shortText(b []byte) string {
	name := strings.TrimRight(string(b[:8]), " ")
	if ext := strings.TrimRight(string(b[8:11]), " "); ext != "" {
		name += "." + ext
	}
	return strings.ToUpper(name)
}

// place returns where a file lies, which must be in one piece, as ours do.
func (v *fatView) place(f fatFile) (int64, error) {
	n := int((f.size + v.perCluster - 1) / v.perCluster)
	if n == 0 || f.size > maxRead {
		return 0, fmt.Errorf("%s has %d bytes", f.Path, f.size)
	}
	if f.first < 2 || f.first+n > v.clusters+2 {
		return 0, fmt.Errorf("%s lies outside of its file system", f.Path)
	}
	for i := range n {
		next := v.next(f.first + i)
		if last := i == n-1; last && next < 0xff8 || !last && next != f.first+i+1 {
			return 0, fmt.Errorf("%s: its chain of clusters is broken, or somebody moved it", f.Path)
		}
	}
	return v.data + int64(f.first-2)*v.perCluster, nil
}

func (v *fatView) read(f fatFile) ([]byte, error) {
	at, err := v.place(f)
	if err != nil {
		return nil, err
	}
	b := make([]byte, f.size)
	if _, err := v.r.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return b, nil
}
