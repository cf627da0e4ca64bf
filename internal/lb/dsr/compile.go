package dsr

import (
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/kernel/bpf"
	"surefoot/internal/kernel/neigh"
	"surefoot/internal/lb"
)

// defaultPersist is how long a silent client keeps its backend where the service does not say. Without any such
// time, the packets of a transfer would move to another backend as soon as one comes back to life.
const defaultPersist = 100 * time.Second

// defaultPort is that of TFTP requests.
const defaultPort = 69

// compile makes of tables what the kernel follows. A backend keeps the place and the counter that it had, so
// that what is remembered of clients stays true. fresh are counters that begin anew.
func compile(was map[bpf.Addr]*bpf.Service, tables []lb.Table, at map[string]neigh.Interface, known map[netip.Addr]hop) (next map[bpf.Addr]*bpf.Service, fresh []uint32) {
	next = map[bpf.Addr]*bpf.Service{}
	used := map[uint32]bool{}
	for _, s := range was {
		for i := range s.Backend[:s.Backends] {
			used[uint32(s.Backend[i].Counter)] = s.Backend[i].ID != 0 || used[uint32(s.Backend[i].Counter)]
		}
	}
	counter := func() uint16 {
		for i := range uint32(bpf.MaxCounters) {
			if !used[i] {
				used[i] = true
				fresh = append(fresh, i)
				return uint16(i)
			}
		}
		return bpf.MaxCounters - 1
	}
	for n, t := range tables {
		addr := bpf.Addr(t.Service.Listen.Addr().As16())
		old := was[addr]
		if old == nil {
			old = &bpf.Service{}
		}
		s := &bpf.Service{MAC: at[t.Service.Name].MAC, Port: swap(requests(&t.Service)), Turn: uint32(n), Timeout: uint64(t.Service.Persist)}
		for _, p := range t.Service.Ports {
			protocol := uint8(6)
			if p.Protocol == "udp" {
				protocol = 17
			}
			s.Only[s.Ports] = bpf.Port{Protocol: protocol, Number: swap(p.Number)}
			s.Ports++
		}
		if t.Active {
			s.Active = 1
		}
		if s.Timeout == 0 {
			s.Timeout = uint64(defaultPersist)
		}
		places := settle(s, old, t.Service.Backends)
		for i, b := range t.Service.Backends {
			x := &s.Backend[places[i]]
			if x.ID == old.Backend[places[i]].ID && uint32(places[i]) < old.Backends {
				x.Counter = old.Backend[places[i]].Counter
			} else {
				x.Counter = counter()
			}
			h := known[b.TFTP.Addr().Unmap()]
			x.MAC = h.mac
			if h.local {
				x.Flags |= bpf.Local
			}
			if slices.Contains(t.Drained, i) {
				x.Flags |= bpf.Drained
			}
		}
		fill(s, &t, places, known)
		s.Finish()
		next[addr] = s
	}
	return next, fresh
}

// settle gives each backend a place: the one it had, else a free one.
func settle(s, old *bpf.Service, backends []lb.Backend) []int {
	places := make([]int, len(backends))
	ids := identify(backends)
	taken := map[int]bool{}
	for i := range backends {
		places[i] = -1
		for j := range int(old.Backends) {
			if old.Backend[j].ID == ids[i] {
				places[i], taken[j] = j, true
			}
		}
	}
	for i := range backends {
		for j := 0; places[i] < 0; j++ {
			if !taken[j] {
				places[i], taken[j] = j, true
			}
		}
		s.Backend[places[i]].ID = ids[i]
		s.Backends = max(s.Backends, uint32(places[i])+1)
	}
	return places
}

// identify gives each backend a number of its name, which is the same on every node.
func identify(backends []lb.Backend) []uint32 {
	order := make([]int, len(backends))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if backends[a].Name < backends[b].Name {
			return -1
		}
		return 1
	})
	ids, seen := make([]uint32, len(backends)), map[uint32]bool{}
	for _, i := range order {
		id := lb.ID(backends[i].Name)
		for seen[id] {
			id += 2
		}
		ids[i], seen[id] = id, true
	}
	return ids
}

// fill deals the slots among those that are alive and can be reached; when none can, among those whose last MAC
// is known: what the link says is no better than what health says.
func fill(s *bpf.Service, t *lb.Table, places []int, known map[netip.Addr]hop) {
	living := reachable(t, known, func(h hop) bool { return h.local || h.up })
	if len(living) == 0 {
		living = reachable(t, known, func(h hop) bool { return h.mac != [6]byte{} })
	}
	deal, err := lb.NewDeal(&t.Service, living)
	if err != nil {
		return // check has refused it before
	}
	for _, i := range living {
		s.Backend[places[i]].Flags |= bpf.Alive
	}
	if deal.ByTurn {
		s.By = bpf.ByTurn
	}
	s.Slots = uint32(len(deal.Slots))
	for i, b := range deal.Slots {
		s.Slot[i] = uint8(places[b])
	}
}

func reachable(t *lb.Table, known map[netip.Addr]hop, is func(hop) bool) (out []int) {
	for _, i := range t.Alive {
		if is(known[t.Service.Backends[i].TFTP.Addr().Unmap()]) {
			out = append(out, i)
		}
	}
	return out
}

// requests is the port of TFTP requests.
func requests(s *lb.Service) uint16 {
	for _, p := range s.Ports {
		if p.Protocol == "udp" {
			return p.Number
		}
	}
	return defaultPort
}

// swap writes a port as packets have it.
func swap(port uint16) uint16 { return port<<8 | port>>8 }
