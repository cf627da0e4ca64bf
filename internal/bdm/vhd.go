package bdm

import (
	"encoding/binary"
	"time"
)

// A fixed VHD is the disk and a footer of 512 bytes behind it (Microsoft's VHD Image Format
// Specification 1.0).

const vhdCookie = "conectix"

// vhdEpoch is from when its seconds count.
var vhdEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func vhdFooter(size int64, id ID, date time.Time) []byte {
	b := make([]byte, sector)
	be := binary.BigEndian
	copy(b, vhdCookie)
	be.PutUint32(b[8:], 2) // features: reserved, always set
	be.PutUint32(b[12:], 0x10000)
	be.PutUint64(b[16:], 1<<64-1) // no other header
	be.PutUint32(b[24:], uint32(date.Sub(vhdEpoch)/time.Second))
	copy(b[28:], "win ") // QEMU takes the size below from such a VHD, and another from its geometry otherwise (block/vpc.c)
	be.PutUint32(b[32:], 0x10000)
	copy(b[36:], "Wi2k")
	be.PutUint64(b[40:], uint64(size))
	be.PutUint64(b[48:], uint64(size))
	cylinders, heads, perTrack := vhdGeometry(size / sector)
	be.PutUint16(b[56:], cylinders)
	b[58], b[59] = heads, perTrack
	be.PutUint32(b[60:], 2) // fixed
	unique := guidOf(id, "vhd")
	copy(b[68:], unique[:])
	be.PutUint32(b[64:], vhdSum(b))
	return b
}

// vhdSum is the ones' complement of the sum of all bytes but the sum's.
func vhdSum(b []byte) uint32 {
	var sum uint32
	for i, x := range b[:sector] {
		if i < 64 || i >= 68 {
			sum += uint32(x)
		}
	}
	return ^sum
}

// vhdGeometry is the specification's appendix "CHS Calculation", for disks below 32 MB.
func vhdGeometry(sectors int64) (cylinders uint16, heads, perTrack uint8) {
	perTrack = 17
	tracks := sectors / 17
	heads = uint8(max(4, (tracks+1023)/1024))
	return uint16(tracks / int64(heads)), heads, perTrack
}

// isVHD reports whether a footer is that of a fixed VHD, and how large its disk is.
func isVHD(b []byte) (size int64, fixed, whole bool) {
	if len(b) < sector || string(b[:8]) != vhdCookie {
		return 0, false, false
	}
	be := binary.BigEndian
	return int64(be.Uint64(b[48:])), be.Uint32(b[60:]) == 2, be.Uint32(b[64:]) == vhdSum(b)
}
