package lease

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

// maxPool is how many addresses the ranges of one scope may have: a few bytes each are kept.
const maxPool = 1 << 22

// plan numbers the addresses of a scope: those of its ranges from 0 on, in their order, and
// behind them what else has to be spoken of (reservations outside the ranges, old leases).
type plan struct {
	spans []span
	size  uint32 // addresses in the ranges
	extra []netip.Addr
	index map[netip.Addr]uint32 // of extra
}

// span is a range: count addresses from lo on, which have the position first and so on.
type span struct {
	hi, lo       uint64
	first, count uint32
	is4          bool
}

func split(a netip.Addr) (hi, lo uint64) {
	if a.Is4() {
		b := a.As4()
		return 0, uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

func newPlan(ranges []Range) (plan, error) {
	p := plan{index: map[netip.Addr]uint32{}}
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b Range) int { return a.From.Compare(b.From) })
	for i, r := range sorted {
		hi, lo := split(r.From)
		hi2, lo2 := split(r.To)
		switch {
		case r.From.BitLen() != r.To.BitLen() || r.To.Less(r.From):
			return plan{}, fmt.Errorf("range %s-%s: not from a lower to a higher address", r.From, r.To)
		case hi != hi2 || lo2-lo >= maxPool || lo2-lo+1+uint64(p.size) > maxPool:
			return plan{}, fmt.Errorf("range %s-%s: more than %d addresses", r.From, r.To, maxPool)
		case i > 0 && !sorted[i-1].To.Less(r.From):
			return plan{}, fmt.Errorf("range %s-%s: overlaps %s-%s", r.From, r.To, sorted[i-1].From, sorted[i-1].To)
		}
		count := uint32(lo2 - lo + 1)
		p.spans = append(p.spans, span{hi: hi, lo: lo, first: p.size, count: count, is4: r.From.Is4()})
		p.size += count
	}
	return p, nil
}

// find returns the position of an address.
func (p *plan) find(a netip.Addr) (uint32, bool) {
	if !a.IsValid() {
		return 0, false
	}
	hi, lo := split(a)
	is4 := a.Is4()
	for low, high := 0, len(p.spans); low < high; {
		mid := (low + high) / 2
		sp := &p.spans[mid]
		switch {
		case sp.is4 != is4:
			low = high // a scope has one family
		case hi < sp.hi || hi == sp.hi && lo < sp.lo:
			high = mid
		case hi > sp.hi || lo-sp.lo >= uint64(sp.count):
			low = mid + 1
		default:
			return sp.first + uint32(lo-sp.lo), true
		}
	}
	i, ok := p.index[a]
	return i, ok
}

// addr returns the address of a position.
func (p *plan) addr(pos uint32) netip.Addr {
	if pos >= p.size {
		return p.extra[pos-p.size]
	}
	i, _ := slices.BinarySearchFunc(p.spans, pos, func(sp span, pos uint32) int {
		switch {
		case pos < sp.first:
			return 1
		case pos >= sp.first+sp.count:
			return -1
		}
		return 0
	})
	sp := p.spans[i]
	lo := sp.lo + uint64(pos-sp.first)
	if sp.is4 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(lo))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], sp.hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	return netip.AddrFrom16(b)
}

// add gives an address outside the ranges a position.
func (p *plan) add(a netip.Addr) uint32 {
	pos := p.size + uint32(len(p.extra))
	p.extra = append(p.extra, a)
	p.index[a] = pos
	return pos
}
