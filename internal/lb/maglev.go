package lb

import (
	"cmp"
	"hash/fnv"
	"net/netip"
	"slices"
)

// MaglevSize is how many places the table of Maglev has: a prime, well above 100 times the number of
// backends that stand behind one address in practice.
const MaglevSize = 4093

// MaglevTable says for each place which backend has it, by its index in the list; -1 is nobody. Each
// backend has an order of the places of its own, and they take turns, as many as their weights say, to
// take the first that is free (Eisenbud et al., Maglev, NSDI 2016, section 3.4). The order of the list
// does not matter: only names and weights do.
func MaglevTable(list []Backend) []int {
	table := make([]int, MaglevSize)
	for i := range table {
		table[i] = -1
	}
	if len(list) == 0 {
		return table
	}
	sorted := byName(list)
	at, step := make([]uint64, len(list)), make([]uint64, len(list))
	for _, i := range sorted {
		h := hashName(list[i].Name)
		at[i], step[i] = h%MaglevSize, mix(h)%(MaglevSize-1)+1
	}
	for filled := 0; ; {
		for _, i := range sorted {
			for range max(list[i].Weight, 1) {
				for table[at[i]] >= 0 {
					at[i] = (at[i] + step[i]) % MaglevSize
				}
				table[at[i]] = i
				if filled++; filled == MaglevSize {
					return table
				}
			}
		}
	}
}

// MaglevPlace is the place of a client in the table.
func MaglevPlace(client netip.Addr) int { return int(hashAddr(client) % MaglevSize) }

func hashName(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return mix(h.Sum64())
}

func hashAddr(a netip.Addr) uint64 {
	h := fnv.New64a()
	b := a.Unmap().As16()
	_, _ = h.Write(b[:])
	return mix(h.Sum64())
}

// byName are the indexes of a list in the order of its names.
func byName(list []Backend) []int {
	out := make([]int, len(list))
	for i := range out {
		out[i] = i
	}
	slices.SortFunc(out, func(a, b int) int { return cmp.Compare(list[a].Name, list[b].Name) })
	return out
}

// byTable puts the one first that the table has for the client; the others follow by their hashes.
func byTable(list []Backend, client netip.Addr) {
	if len(list) == 0 {
		return
	}
	toFront(list, MaglevTable(list)[MaglevPlace(client)])
	byHash(list[1:], client)
}
