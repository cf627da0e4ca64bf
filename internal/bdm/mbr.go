package bdm

import "encoding/binary"

// The first sector of our disks: the loader's code, if there is one, and a table in the old form
// that says both "a GPT is here" and where the EFI system partition is, for firmware that reads
// only that.

// mbr is the sector. code is up to 440 bytes; for isolinux, boot is the 512-byte sector at which its
// program begins.
func mbr(code []byte, boot uint64, id ID, esp part, sectors uint64) []byte {
	b := make([]byte, sector)
	copy(b[:440], code)
	le := binary.LittleEndian
	if len(code) > 0 {
		le.PutUint64(b[432:], boot) // isohdpfx.bin reads it from there
	}
	copy(b[440:444], id[4:8])
	entry := func(i int, active, kind byte, first, last uint64) {
		e := b[446+16*i:]
		e[0] = active
		copy(e[1:4], "\xfe\xff\xff") // places that cylinders cannot say
		e[4] = kind
		copy(e[5:8], "\xfe\xff\xff")
		le.PutUint32(e[8:], uint32(first))
		le.PutUint32(e[12:], uint32(last-first+1))
	}
	// UEFI 2.10 section 5.2.3: 0xee from sector 1. Firmware takes the GPT if any entry says so.
	last := min(sectors-1, 1<<32-1)
	if len(code) > 0 {
		last = esp.First - 1
		entry(1, 0x80, 0xef, esp.First, esp.Last) // some BIOSes start only disks with an active partition
	}
	entry(0, 0, 0xee, 1, last)
	copy(b[447:450], "\x00\x02\x00")
	b[510], b[511] = 0x55, 0xaa
	return b
}
