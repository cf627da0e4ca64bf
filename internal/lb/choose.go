package lb

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Choose says which backend gets a client that asks for a file, who is next should that one fail,
// and why. Backends that are down or drained are left out; where that leaves nobody, all are tried:
// a monitor's mistake must not stop a site.
func Choose(s *Service, client netip.Addr, file string, st State) Choice {
	var c Choice
	living := make([]Backend, 0, len(s.Backends))
	for _, b := range s.Backends {
		if st.Down != nil && st.Down(b.Name, file) {
			c.step("backend "+b.Name, false, "does not hand out %s at present, or is drained", file)
			continue
		}
		living = append(living, b)
	}
	if len(living) == 0 && len(s.Backends) > 0 {
		c.FailOpen = true
		c.step("health", false, "every backend looks dead, so all are tried: a monitor's mistake must not stop a site")
		living = slices.Clone(s.Backends)
	}
	c.Backends = living
	c.order(s, client, st)
	c.keep(s, client, st)
	c.doubt(st)
	for i, b := range c.Backends {
		why := "is chosen"
		if i > 0 {
			why = "takes over should the one before fail"
		}
		c.step("backend "+b.Name, true, "%s", why)
	}
	return c
}

func (c *Choice) step(subject string, ok bool, format string, args ...any) {
	c.Trace = append(c.Trace, Step{Subject: subject, OK: ok, Why: fmt.Sprintf(format, args...)})
}

// order sorts the living by the scheduler.
func (c *Choice) order(s *Service, client netip.Addr, st State) {
	if len(c.Backends) < 2 {
		return
	}
	by := s.Scheduler
	if by == Maglev || by == Rendezvous && s.Mode == DSR {
		c.dealt(s, client)
		return
	}
	switch by {
	case Rendezvous:
		byHash(c.Backends, client)
		c.step("scheduler", true, "rendezvous: a hash of %s prefers %s", client, c.Backends[0].Name)
	case LeastTransfers:
		rotate(c.Backends, int(st.Turn%uint64(len(c.Backends)))) // so that equals take turns
		load := func(b Backend) float64 {
			if st.Load == nil {
				return 0
			}
			return float64(st.Load(b.Name)) / float64(max(b.Weight, 1))
		}
		slices.SortStableFunc(c.Backends, func(a, b Backend) int { return cmp.Compare(load(a), load(b)) })
		n := 0
		if st.Load != nil {
			n = st.Load(c.Backends[0].Name)
		}
		c.step("scheduler", true, "least-transfers: %s has the fewest for its weight, %d", c.Backends[0].Name, n)
	case Weighted:
		rotate(c.Backends, share(c.Backends, st.Turn))
		c.step("scheduler", true, "weighted: it is the turn of %s, whose weight is %d", c.Backends[0].Name, c.Backends[0].Weight)
	default:
		rotate(c.Backends, int(st.Turn%uint64(len(c.Backends))))
		c.step("scheduler", true, "round-robin: it is the turn of %s", c.Backends[0].Name)
	}
}

// dealt puts those first whom the kernel's table of slots names.
func (c *Choice) dealt(s *Service, client netip.Addr) {
	among := *s
	among.Backends = c.Backends
	all := make([]int, len(c.Backends))
	for i := range all {
		all[i] = i
	}
	d, err := NewDeal(&among, all)
	if err != nil {
		c.step("scheduler", false, "%v", err)
		return
	}
	first := d.First(client)
	next := d.Other(client, first, 1)
	list := []Backend{c.Backends[first], c.Backends[next]}
	for i, b := range c.Backends {
		if i != first && i != next {
			list = append(list, b)
		}
	}
	c.Backends = list
	c.step("scheduler", true, "%s: a hash of %s falls into a slot of %s; should it not answer, a repeated request goes to %s", s.Scheduler, client, list[0].Name, list[1].Name)
}

// keep puts the backend first that the client has already.
func (c *Choice) keep(s *Service, client netip.Addr, st State) {
	if s.Persist <= 0 || st.Kept == "" {
		return
	}
	i := slices.IndexFunc(c.Backends, func(b Backend) bool { return b.Name == st.Kept })
	if i < 0 {
		c.step("persistence", false, "%s had %s, which is out", client, st.Kept)
		return
	}
	toFront(c.Backends, i)
	c.step("persistence", true, "%s has had %s within %s", client, st.Kept, s.Persist)
}

// doubt puts last who has just failed.
func (c *Choice) doubt(st State) {
	if st.Suspect == nil {
		return
	}
	for _, b := range c.Backends {
		if st.Suspect(b.Name) {
			c.step("backend "+b.Name, false, "has just failed to answer, so it comes last")
		}
	}
	slices.SortStableFunc(c.Backends, func(a, b Backend) int {
		return cmp.Compare(doubted(st.Suspect(a.Name)), doubted(st.Suspect(b.Name)))
	})
}

func doubted(suspect bool) int {
	if suspect {
		return 1
	}
	return 0
}

// rotate makes the backend at i the first, and lets those before it follow at the end.
func rotate(list []Backend, i int) {
	copy(list, append(slices.Clone(list[i:]), list[:i]...))
}

func toFront(list []Backend, i int) {
	b := list[i]
	copy(list[1:i+1], list[:i])
	list[0] = b
}
