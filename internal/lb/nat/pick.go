package nat

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"

	"surefoot/internal/lb"
)

// places is how many places the clients' addresses fall into where a hash decides: the kernel looks one up
// in a map of that size.
const places = 1021

// hashSeed makes services differ in whom they give a client, and nodes agree. It is never 0, which
// stands for one by chance.
func hashSeed(service string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(service))
	return h.Sum32() | 1
}

// dealt are the backends of a round of turns, or those of the places.
func dealt(t *lb.Table) (slots []int, byTurn bool, err error) {
	d, err := lb.NewDeal(&t.Service, t.Alive)
	if err != nil {
		return nil, false, err
	}
	if d.ByTurn {
		for _, i := range d.Slots {
			slots = append(slots, int(i))
		}
		return slots, true, nil
	}
	if len(d.Slots) == 0 {
		return nil, false, nil
	}
	slots = make([]int, places)
	for i := range slots {
		slots[i] = int(d.Slots[i*len(d.Slots)/places]) // a slot moves only with its backend, so a place does
	}
	return slots, false, nil
}

// pick is the rule that chooses among the living.
func pick(t *lb.Table) (string, error) {
	s := &t.Service
	if len(t.Alive) == 0 {
		return "drop", nil
	}
	if len(t.Alive) == 1 {
		return "goto " + backendChain(s.Name, s.Backends[t.Alive[0]].Name), nil
	}
	slots, byTurn, err := dealt(t)
	if err != nil {
		return "", err
	}
	by := fmt.Sprintf("numgen inc mod %d", len(slots))
	if !byTurn {
		by = fmt.Sprintf("jhash %s saddr mod %d seed 0x%x", ip(s.Listen.Addr()), places, hashSeed(s.Name))
	}
	var to []string
	for i, b := range slots {
		to = append(to, fmt.Sprintf("%d : goto %s", i, backendChain(s.Name, s.Backends[b].Name)))
	}
	return by + " vmap { " + strings.Join(to, ", ") + " }", nil
}

// place is where the kernel finds a client.
func place(service string, client netip.Addr) int {
	return int(uint64(jhash(client.AsSlice(), hashSeed(service))) * places >> 32)
}
