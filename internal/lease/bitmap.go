package lease

import "math/bits"

// bitmap is a set of positions with summaries above it: a bit of a level says that a word of the
// level below is not empty. Finding the next member costs a look at each level, three for 262,144
// positions, however full or empty the set is.
type bitmap struct{ levels [][]uint64 }

func newBitmap(n int) bitmap {
	var b bitmap
	for {
		n = (n + 63) / 64
		b.levels = append(b.levels, make([]uint64, max(n, 1)))
		if n <= 1 {
			return b
		}
	}
}

func (b *bitmap) set(i uint32) {
	for _, level := range b.levels {
		level[i>>6] |= 1 << (i & 63)
		i >>= 6
	}
}

func (b *bitmap) clear(i uint32) {
	for _, level := range b.levels {
		level[i>>6] &^= 1 << (i & 63)
		if level[i>>6] != 0 {
			return
		}
		i >>= 6
	}
}

func (b *bitmap) has(i uint32) bool { return b.levels[0][i>>6]&(1<<(i&63)) != 0 }

// next returns the first member from a position on, and after the last one the first of all.
func (b *bitmap) next(from uint32) (uint32, bool) {
	if i, ok := b.after(from); ok {
		return i, true
	}
	return b.after(0)
}

// after goes up until a word has a member at or behind i, and down to it again.
func (b *bitmap) after(i uint32) (uint32, bool) {
	for l, level := range b.levels {
		if int(i>>6) >= len(level) {
			return 0, false
		}
		if rest := level[i>>6] >> (i & 63); rest != 0 {
			i += uint32(bits.TrailingZeros64(rest))
			for l--; l >= 0; l-- {
				i = i<<6 + uint32(bits.TrailingZeros64(b.levels[l][i]))
			}
			return i, true
		}
		i = i>>6 + 1
	}
	return 0, false
}
