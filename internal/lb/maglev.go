package lb

import (
	"cmp"
	"slices"
)

// Maglev takes the one that a table of hashes holds for the client's address, which is the same on every node.
// When a backend goes, nearly only its own clients move (Eisenbud and others, NSDI 2016, section 3.4).
const Maglev Scheduler = "maglev"

// maglevSlots is a prime number, as the method wants, and as large as a table of the kernel's may be.
const maglevSlots = 16381

// maglev fills the table: the backends take turns, each as many as its weight says, and each takes the first
// free slot of a permutation that its name alone makes. The order of the list does not matter.
func maglev(list []Backend) []uint8 {
	type taker struct {
		index      int
		name       string
		weight     int
		next, step uint64
	}
	takers := make([]taker, len(list))
	for i, b := range list {
		x := seed(b.Name)
		takers[i] = taker{i, b.Name, max(b.Weight, 1), x % maglevSlots, mix(x)%(maglevSlots-1) + 1}
	}
	slices.SortFunc(takers, func(a, b taker) int { return cmp.Compare(a.name, b.name) })
	share := 0
	for _, t := range takers {
		share = gcd(share, t.weight)
	}
	slots := make([]uint8, maglevSlots)
	taken := make([]bool, maglevSlots)
	for left := maglevSlots; ; {
		for i := range takers {
			t := &takers[i]
			for range t.weight / share {
				for taken[t.next] {
					t.next = (t.next + t.step) % maglevSlots
				}
				slots[t.next], taken[t.next] = uint8(t.index), true
				if left--; left == 0 {
					return slots
				}
			}
		}
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
