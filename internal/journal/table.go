package journal

import (
	"container/list"
	"net/netip"
	"slices"

	"surefoot/internal/boot"
)

// table finds machines by MAC and by address, and knows which were heard of least recently. It
// has two lists: machines that acknowledged data, and newcomers. A flood of forged MACs only
// pushes out other newcomers.
type table struct {
	byMAC     map[boot.MAC]*machine
	byIP      map[netip.Addr]*machine
	newcomers *list.List // of *machine, the latest first
	real      *list.List
	evicted   int
}

func newTable() table {
	return table{
		byMAC: map[boot.MAC]*machine{}, byIP: map[netip.Addr]*machine{},
		newcomers: list.New(), real: list.New(),
	}
}

func (t *table) count() int { return t.newcomers.Len() + t.real.Len() }

func (t *table) add(mac boot.MAC) *machine {
	m := &machine{mac: mac}
	m.elem = t.newcomers.PushFront(m)
	if !mac.IsZero() {
		t.byMAC[mac] = m
	}
	return m
}

func (t *table) listOf(m *machine) *list.List {
	if m.proven {
		return t.real
	}
	return t.newcomers
}

func (t *table) touch(m *machine) {
	if m != nil {
		t.listOf(m).MoveToFront(m.elem)
	}
}

// bind makes an address this machine's and nobody else's.
func (t *table) bind(m *machine, ip netip.Addr) {
	if other := t.byIP[ip]; other != nil {
		other.ips = slices.DeleteFunc(other.ips, func(a netip.Addr) bool { return a == ip })
	}
	if len(m.ips) == maxIPs {
		delete(t.byIP, m.ips[0])
		m.ips = slices.Delete(m.ips, 0, 1)
	}
	m.ips = append(m.ips, ip)
	t.byIP[ip] = m
}

// promote moves a machine that proved itself to the list of real ones; the one that was heard of
// least recently makes room.
func (t *table) promote(m *machine, proven bool, most int) {
	if !proven || m.proven {
		return
	}
	t.newcomers.Remove(m.elem)
	m.proven = true
	m.elem = t.real.PushFront(m)
	if t.real.Len() > most {
		old := t.real.Remove(t.real.Back()).(*machine)
		old.proven = false
		old.elem = t.newcomers.PushFront(old)
	}
}

// drop takes a machine out of the table.
func (t *table) drop(m *machine) {
	t.listOf(m).Remove(m.elem)
	if !m.mac.IsZero() {
		delete(t.byMAC, m.mac)
	}
	for _, ip := range m.ips {
		delete(t.byIP, ip)
	}
}

// oldest returns the machine that is to be forgotten first, never keep.
func (t *table) oldest(keep *machine) *machine {
	for _, l := range []*list.List{t.newcomers, t.real} {
		if e := l.Back(); e != nil && e.Value.(*machine) != keep {
			return e.Value.(*machine)
		}
	}
	return nil
}

// shrink forgets what is too much: whole machines, then old stories. keep is at work.
func (s *stories) shrink(keep *machine) {
	for s.count() > s.machines || s.kept > s.total {
		m := s.table.oldest(keep)
		if m == nil {
			return
		}
		if s.count() <= s.machines && len(m.stories) > 1 {
			s.forget(m.stories[0])
			m.stories = slices.Delete(m.stories, 0, 1)
			continue
		}
		for _, r := range m.stories {
			s.forget(r)
		}
		s.drop(m)
		s.evicted++
	}
}

// forget takes a story out of all accounts.
func (s *stories) forget(r *record) {
	delete(s.live, r)
	s.kept -= len(r.Steps)
}
