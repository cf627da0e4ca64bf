package nat

import (
	"encoding/binary"
	"math/bits"
)

// jhash is the kernel's hash of bytes (include/linux/jhash.h, lookup3 by Bob Jenkins), by which nftables
// spreads clients. Bytes are read as on little-endian machines, which are all that Surefoot is built for.
func jhash(k []byte, initval uint32) uint32 {
	a := 0xdeadbeef + uint32(len(k)) + initval
	b, c := a, a
	word := func(i int) uint32 {
		var w [4]byte
		if i < len(k) {
			copy(w[:], k[i:])
		}
		return binary.LittleEndian.Uint32(w[:])
	}
	for len(k) > 12 {
		a += word(0)
		b += word(4)
		c += word(8)
		a -= c
		a ^= bits.RotateLeft32(c, 4)
		c += b
		b -= a
		b ^= bits.RotateLeft32(a, 6)
		a += c
		c -= b
		c ^= bits.RotateLeft32(b, 8)
		b += a
		a -= c
		a ^= bits.RotateLeft32(c, 16)
		c += b
		b -= a
		b ^= bits.RotateLeft32(a, 19)
		a += c
		c -= b
		c ^= bits.RotateLeft32(b, 4)
		b += a
		k = k[12:]
	}
	if len(k) == 0 {
		return c
	}
	a += word(0)
	b += word(4)
	c += word(8)
	c ^= b
	c -= bits.RotateLeft32(b, 14)
	a ^= c
	a -= bits.RotateLeft32(c, 11)
	b ^= a
	b -= bits.RotateLeft32(a, 25)
	c ^= b
	c -= bits.RotateLeft32(b, 16)
	a ^= c
	a -= bits.RotateLeft32(c, 4)
	b ^= a
	b -= bits.RotateLeft32(a, 14)
	c ^= b
	c -= bits.RotateLeft32(b, 24)
	return c
}
