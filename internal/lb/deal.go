package lb

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"net/netip"
)

// Limits of what a data path in the kernel holds.
const (
	MaxBackends = 64
	MaxSlots    = 1 << 14
)

// Deal is a scheduler in the form that the kernel can follow: slots that are dealt out among the living
// backends. A hash of the client's address, or its turn, picks the slot. kernel/bpf/dsr.c computes First and
// Other in the same way; tests hold the two together.
type Deal struct {
	Slots  []uint8 // indexes of Backends
	ByTurn bool
	alive  []bool
	n      int
}

// NewDeal deals for a service among those of its backends that are alive (indexes). Nobody alive: no slots.
func NewDeal(s *Service, alive []int) (Deal, error) {
	if len(s.Backends) > MaxBackends {
		return Deal{}, fmt.Errorf("service %s has %d backends, more than %d", s.Name, len(s.Backends), MaxBackends)
	}
	d := Deal{alive: make([]bool, len(s.Backends)), n: len(s.Backends)}
	list := make([]Backend, 0, len(alive))
	for _, i := range alive {
		d.alive[i] = true
		list = append(list, s.Backends[i])
	}
	if len(list) == 0 {
		return d, nil
	}
	switch s.Scheduler {
	case Maglev:
		d.Slots = maglev(list)
	case Rendezvous:
		d.Slots = rendezvous(list)
	case RoundRobin:
		d.ByTurn = true
		for i := range list {
			d.Slots = append(d.Slots, uint8(i))
		}
	case Weighted:
		d.ByTurn, d.Slots = true, turns(list)
	default:
		return Deal{}, fmt.Errorf("service %s: the kernel cannot schedule by %s: it does not see transfers end", s.Name, s.Scheduler)
	}
	for i, x := range d.Slots {
		d.Slots[i] = uint8(alive[x])
	}
	return d, nil
}

// First returns whom a client gets that has nobody, -1 if nobody is alive. For schedulers by turn it is whom it
// would get by its address.
func (d *Deal) First(client netip.Addr) int { return d.at(Hash(client)) }

// Other returns who is next when not did not answer, tries being how often the client asked again.
func (d *Deal) Other(client netip.Addr, not, tries int) int {
	if tries <= 1 {
		for k := uint64(1); k <= 4; k++ {
			if i := d.at(mix(Hash(client) + k)); i != not {
				return i
			}
		}
	}
	for k := 1; k < d.n; k++ {
		if i := (not + k) % d.n; d.alive[i] {
			return i
		}
	}
	return not
}

func (d *Deal) at(h uint64) int {
	if len(d.Slots) == 0 {
		return -1
	}
	return int(d.Slots[(h>>32)*uint64(len(d.Slots))>>32])
}

// Hash spreads clients' addresses over the slots.
func Hash(client netip.Addr) uint64 {
	a := client.As16()
	return mix(mix(binary.LittleEndian.Uint64(a[:8])) ^ binary.LittleEndian.Uint64(a[8:]))
}

// rendezvous gives each slot to the backend that draws best for it, as byHash does with clients.
func rendezvous(list []Backend) []uint8 {
	slots := make([]uint8, MaxSlots)
	seeds := make([]uint64, len(list))
	for i, b := range list {
		seeds[i] = seed(b.Name)
	}
	for slot := range slots {
		best := math.Inf(1)
		for i, b := range list {
			x := (float64(mix(seeds[i]^mix(uint64(slot)+1))>>11) + 0.5) / (1 << 53)
			if score := -math.Log(x) / float64(max(b.Weight, 1)); score < best {
				best, slots[slot] = score, uint8(i)
			}
		}
	}
	return slots
}

// turns is a round in which each backend has as many turns as its weight says, evenly spread.
func turns(list []Backend) []uint8 {
	total, share := 0, 0
	for _, b := range list {
		total += max(b.Weight, 1)
		share = gcd(share, max(b.Weight, 1))
	}
	slots := make([]uint8, 0, total/share)
	credit := make([]int, len(list))
	for range total / share {
		best := 0
		for i, b := range list {
			credit[i] += max(b.Weight, 1)
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		slots = append(slots, uint8(best))
	}
	return slots
}

// ID is a backend's name as data paths keep it; never 0.
func ID(name string) uint32 { return uint32(seed(name)>>32) | 1 }

func seed(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return mix(h.Sum64())
}
