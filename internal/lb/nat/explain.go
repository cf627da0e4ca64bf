package nat

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/kernel/nft"
	"surefoot/internal/lb"
)

// Explain says whom a client gets that asks now, as the rules decide it: by whom it has, which is read from the
// kernel, and else by the scheduler. Whose turn it is the kernel does not tell: then the first of the
// round is named, and the trace says so.
func (p *Plane) Explain(ctx context.Context, service string, client netip.Addr) (lb.Choice, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return explain(ctx, &p.at, p.tables, service, client)
}

// Explain is the same for direct server return.
func (p *Direct) Explain(ctx context.Context, service string, client netip.Addr) (lb.Choice, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tables := slices.Clone(p.tables)
	for i, h := range p.hops {
		tables[i] = h.alive()
	}
	return explain(ctx, &p.at, tables, service, client)
}

func explain(ctx context.Context, at *standing, tables []lb.Table, service string, client netip.Addr) (lb.Choice, error) {
	i := slices.IndexFunc(tables, func(t lb.Table) bool { return t.Service.Name == service })
	if i < 0 {
		return lb.Choice{}, fmt.Errorf("there is no data path of service %q", service)
	}
	t := &tables[i]
	kept, left := "", time.Duration(0)
	if t.Service.Persist > 0 && at.made {
		for _, b := range t.Service.Backends {
			d, has, err := nft.Held(ctx, at.family, at.table, keepSet(&t.Service, b.Name), client)
			if err != nil {
				return lb.Choice{}, err
			}
			if has {
				kept, left = b.Name, d
				break
			}
		}
	}
	return Decide(t, client, kept, left)
}

// Decide says whom the rules give a client that has kept, "" if it has nobody.
func Decide(t *lb.Table, client netip.Addr, kept string, left time.Duration) (lb.Choice, error) {
	var c lb.Choice
	s := &t.Service
	step := func(subject string, ok bool, format string, args ...any) {
		c.Trace = append(c.Trace, lb.Step{Subject: subject, OK: ok, Why: fmt.Sprintf(format, args...)})
	}
	if !t.Active {
		step("role", false, "this node is a standby: it has not the address, and hands nothing on")
	}
	first, has := -1, -1
	for i, b := range s.Backends {
		alive, drained := slices.Contains(t.Alive, i), slices.Contains(t.Drained, i)
		switch {
		case drained:
			step("backend "+b.Name, false, "is drained: it keeps its clients for %s, and gets no new ones", s.Drain)
		case !alive:
			step("backend "+b.Name, false, "gets no clients at present")
		}
		if b.Name == kept && (alive || drained) {
			has = i
		}
	}
	slots, byTurn, err := dealt(t)
	if err != nil {
		return c, err
	}
	order := slices.Clone(t.Alive)
	switch {
	case len(t.Alive) == 0:
		step("scheduler", false, "there is nobody to get it: requests are dropped, and clients ask again")
	case len(t.Alive) == 1:
		first = t.Alive[0]
	case byTurn:
		first = slots[0]
		step("scheduler", true, "%s: the kernel does not tell whose turn it is; the next is one of %s", s.Scheduler, shares(t, slots))
	default:
		at := place(s.Name, client)
		first = slots[at]
		step("scheduler", true, "%s: the kernel's hash of %s falls into place %d of %d, which %s has", s.Scheduler, client, at, places, s.Backends[first].Name)
	}
	switch {
	case has >= 0:
		first = has
		step("persistence", true, "%s has had %s, and keeps it for %s", client, kept, left.Round(time.Second))
	case kept != "":
		step("persistence", false, "%s had %s, which is out", client, kept)
	case s.Persist > 0:
		step("persistence", true, "%s has nobody yet, and keeps whom it gets for %s", client, s.Persist)
	}
	if first < 0 {
		return c, nil
	}
	order = append([]int{first}, slices.DeleteFunc(order, func(i int) bool { return i == first })...)
	for _, i := range order {
		c.Backends = append(c.Backends, s.Backends[i])
	}
	switch {
	case byTurn && has < 0 && len(t.Alive) > 1:
		step("backend "+s.Backends[first].Name, true, "begins the round")
	default:
		step("backend "+s.Backends[first].Name, true, "is chosen")
	}
	return c, nil
}

// shares says how a round is dealt out.
func shares(t *lb.Table, slots []int) string {
	text := ""
	for _, i := range t.Alive {
		n := 0
		for _, x := range slots {
			if x == i {
				n++
			}
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%s (%d of %d turns)", t.Service.Backends[i].Name, n, len(slots))
	}
	return text
}
