package lb

import (
	"cmp"
	"hash/fnv"
	"math"
	"math/bits"
	"net/netip"
	"slices"
)

// byHash sorts by weighted rendezvous hashing: each backend draws a number from the client's address
// and its own name, and the lowest is the first. Whoever is taken out takes along no other's
// clients, and the shares are as the weights (Schindelhauer and Schomaker 2005). Nodes that know
// nothing of each other agree.
func byHash(list []Backend, client netip.Addr) {
	score := make(map[string]float64, len(list))
	for _, b := range list {
		score[b.Name] = -math.Log(draw(b.Name, client)) / float64(max(b.Weight, 1))
	}
	slices.SortStableFunc(list, func(a, b Backend) int {
		return cmp.Or(cmp.Compare(score[a.Name], score[b.Name]), cmp.Compare(a.Name, b.Name))
	})
}

// draw is a number above 0 and below 1.
func draw(name string, client netip.Addr) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	a := client.Unmap().As16()
	_, _ = h.Write(a[:])
	return (float64(mix(h.Sum64())>>11) + 0.5) / (1 << 53)
}

// mix spreads the bits of a number (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// golden is 2^64 divided by the golden ratio: its multiples fall as evenly into the range as any
// series can, so that each backend's turns are spread and need no memory (Weyl).
const golden = 0x9e3779b97f4a7c15

// share returns whose turn it is by weight.
func share(list []Backend, turn uint64) int {
	total := uint64(0)
	for _, b := range list {
		total += uint64(max(b.Weight, 1))
	}
	at, _ := bits.Mul64(turn*golden, total)
	for i, b := range list {
		w := uint64(max(b.Weight, 1))
		if at < w {
			return i
		}
		at -= w
	}
	return 0
}
