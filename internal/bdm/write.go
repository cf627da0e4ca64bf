package bdm

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Plan is what writing an image to a disk comes to. Making one changes nothing.
type Plan struct {
	Partition int      // whose number it has afterwards; 0: the whole disk
	Says      []string // what will happen, a line each
	pieces    []piece
}

// Run writes, has it on the disk, and reads it back.
func (p *Plan) Run(t Target, progress func(done, total int64)) error {
	return write(t, p.pieces, progress)
}

// Bytes is how much is written.
func (p *Plan) Bytes() (n int64) {
	for _, x := range p.pieces {
		n += int64(len(x.data))
	}
	return n
}

// TooSmallError says that an image does not fit.
type TooSmallError struct {
	What       string
	Needs, Has int64
}

func (e *TooSmallError) Error() string {
	return fmt.Sprintf("%s is too small: the image needs %d bytes, and it has %d", e.What, e.Needs, e.Has)
}

// PlanWhole makes a disk of the image: all that was on it is lost. The copy of the partition table
// goes to the disk's own end.
func (m *Image) PlanWhole(size int64) (*Plan, error) {
	if m.esp.at == 0 {
		return nil, errors.New("the image is a partition alone: write it into one (--partition N, --beside), or build a disk (--format usb)")
	}
	if size < m.disk {
		return nil, &TooSmallError{"the disk", m.disk, size}
	}
	image := make([]byte, m.disk)
	if _, err := m.r.ReadAt(image, 0); err != nil {
		return nil, fmt.Errorf("read the image: %w", err)
	}
	p := &Plan{Says: []string{fmt.Sprintf("everything on the disk is lost: %d bytes of image come from its beginning on", m.disk)}}
	sectors := uint64(size) / sector
	g, err := readGPT(m.r, 1, uint64(m.disk)/sector)
	if err != nil {
		return nil, err
	}
	end := uint64(m.disk)/sector - 1 - g.tableSectors()
	clear(image[end*sector:]) // the copy moves
	g.last = sectors - g.tableSectors() - 2
	head := g.primary(sectors)
	copy(image[sector:], head)
	first := sector + len(head)
	copyAt := int64(sectors-1-g.tableSectors()) * sector
	p.pieces = []piece{
		{"the programs", int64(first), image[first:min(copyAt, m.disk)]},
		{"the copy of the partition table", copyAt, g.backup(sectors)},
		{"the partition table", 0, image[:first]}, // last: half a medium is none
	}
	return p, nil
}

// espData is the image's EFI system partition as far as its file system goes.
func (m *Image) espData() ([]byte, error) {
	b := make([]byte, m.mine.sectors*sector)
	if _, err := m.r.ReadAt(b, m.esp.at); err != nil {
		return nil, fmt.Errorf("read the image: %w", err)
	}
	return b, nil
}

// table reads the partition table of a disk that is to keep it, and its copy.
func table(disk io.ReaderAt, size int64) (g, other *gpt, err error) {
	sectors := uint64(size) / sector
	if g, err = readGPT(disk, 1, sectors); err != nil {
		return nil, nil, fmt.Errorf("the disk: %w", err)
	}
	if g.other != sectors-1 {
		return nil, nil, errors.New("the disk: the copy of its partition table is not at its end (sgdisk -e moves it there)")
	}
	if other, err = readGPT(disk, g.other, sectors); err != nil {
		return nil, nil, fmt.Errorf("the disk: the copy of its partition table: %w (sgdisk -v tells more)", err)
	}
	return g, other, nil
}

// PlanPartition writes into a partition that is there; its content is lost, and nothing else.
func (m *Image) PlanPartition(disk io.ReaderAt, size int64, number int) (*Plan, error) {
	data, err := m.espData()
	if err != nil {
		return nil, err
	}
	g, _, err := table(disk, size)
	if err != nil {
		return nil, err
	}
	parts := g.parts()
	i := slices.IndexFunc(parts, func(p part) bool { return p.Number == number })
	switch {
	case i < 0:
		return nil, fmt.Errorf("the disk has no partition %d", number)
	case parts[i].Type != typeESP:
		return nil, fmt.Errorf("partition %d is no EFI system partition, and firmware starts nothing else (sgdisk --typecode=%d:ef00 makes it one)", number, number)
	case parts[i].size() < int64(len(data)):
		return nil, &TooSmallError{fmt.Sprintf("partition %d", number), int64(len(data)), parts[i].size()}
	}
	return &Plan{
		Partition: number,
		Says:      []string{fmt.Sprintf("the content of partition %d (%s, %d bytes) is lost; nothing else is touched", number, nameOr(parts[i].Name), parts[i].size())},
		pieces:    []piece{{fmt.Sprintf("partition %d", number), parts[i].offset(), data}},
	}, nil
}

func nameOr(name string) string {
	if name == "" {
		return "without a name"
	}
	return fmt.Sprintf("%q", name)
}

// alignment is where partitions begin, in sectors: a megabyte, as other programs do.
const alignment = 2048

// PlanBeside adds a partition in the free space of a disk; all others stay as they are.
func (m *Image) PlanBeside(disk io.ReaderAt, size int64) (*Plan, error) {
	data, err := m.espData()
	if err != nil {
		return nil, err
	}
	g, other, err := table(disk, size)
	if err != nil {
		return nil, err
	}
	for _, p := range g.parts() {
		if v, err := readFAT(io.NewSectionReader(disk, p.offset(), p.size()), p.size()); err == nil && v.ours() {
			return nil, fmt.Errorf("partition %d is a boot medium of Surefoot already: --partition %d renews it", p.Number, p.Number)
		}
	}
	need := uint64(len(data)+sector-1) / sector
	first, last, largest := g.gap(max(need, alignment), alignment)
	if first == 0 {
		first, last, largest = g.gap(need, 8)
	}
	if first == 0 {
		return nil, &TooSmallError{"the largest free space between the partitions", int64(len(data)), int64(largest) * sector}
	}
	p := espPart(m.Settings.ID, first, len(data))
	p.Last = last
	p.Unique = guidOf(m.Settings.ID, "beside on "+g.disk.String())
	if p.Number, err = g.add(p); err != nil {
		return nil, err
	}
	return &Plan{
		Partition: p.Number,
		Says: []string{fmt.Sprintf("a new partition %d (%s) of %d bytes comes into free space, at byte %d; the others are not touched",
			p.Number, nameOr(p.Name), p.size(), p.offset())},
		pieces: []piece{ // the table last: whatever happens before, the disk is what it was
			{"the new partition", p.offset(), data},
			{"the copy of the partition table", int64(other.tableAt) * sector, g.padded()},
			{"the header of the copy", int64(other.own) * sector, g.header(other.own, 1, other.tableAt)},
			{"the partition table", int64(g.tableAt) * sector, g.padded()},
			{"its header", sector, g.header(1, g.other, g.tableAt)},
		},
	}, nil
}

// gap finds the first free space for so many sectors that begins at a multiple of align, and the size
// of the largest there is.
func (g *gpt) gap(need, align uint64) (first, last, largest uint64) {
	parts := g.parts()
	slices.SortFunc(parts, func(a, b part) int {
		if a.First < b.First {
			return -1
		}
		return 1
	})
	from := g.first
	for _, p := range append(parts, part{First: g.last + 1, Last: g.last + 1}) {
		if p.First > from {
			largest = max(largest, p.First-from)
			at := (from + align - 1) / align * align
			if first == 0 && at < p.First && p.First-at >= need {
				first, last = at, at+need-1
			}
		}
		from = max(from, p.Last+1)
	}
	return first, last, largest
}
