package journal

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"surefoot/internal/boot"
)

// limits bound what is remembered.
type limits struct {
	machines int // all
	proven   int // of them, machines that showed themselves to be real: junk cannot push these out
	stories  int // of one machine
	steps    int // of one story
	total    int // steps of all stories: a step is about 400 bytes
}

func defaultLimits() limits {
	return limits{machines: 4096, proven: 3072, stories: 8, steps: 64, total: 64 << 10}
}

// stories is the story machine: events and ticks go in, changed stories come out. It has no
// clock, no lock and no logger.
type stories struct {
	limits
	table
	node  string
	names func(boot.MAC) string
	peers func() bool
	live  map[*record]bool // those that wait for something
	last  int64            // the last ID
	kept  int              // steps of all stories
}

func newStories(node string, l limits) *stories {
	return &stories{
		limits: l, table: newTable(), node: node, live: map[*record]bool{},
		names: func(boot.MAC) string { return "" }, peers: func() bool { return false },
	}
}

// change is what an event or a tick did to one story.
type change struct {
	r    *record
	from State // before; "" if the story is new
}

// feed takes one event. ok is false if it belongs to no story.
func (s *stories) feed(ev boot.Event) (c change, ok bool) {
	clean(&ev)
	return s.take(&ev)
}

// take is feed for an event that has been cleaned. It keeps a copy.
func (s *stories) take(ev *boot.Event) (c change, ok bool) {
	m := s.machineOf(ev)
	if m == nil {
		return change{}, false
	}
	defer s.shrink(m)
	r := m.current()
	switch {
	case m.joins(ev):
		c = change{r: r, from: r.State}
	case opens(ev):
		r = s.begin(m, ev)
		c = change{r: r}
	default:
		return change{}, false
	}
	before := len(r.Steps)
	r.peers = s.peers()
	r.apply(ev, s.limits.steps)
	s.kept += len(r.Steps) - before
	s.watch(r)
	s.promote(m, r.proven, s.limits.proven)
	return c, true
}

// tick marks stories whose next step did not come in time.
func (s *stories) tick(now time.Time) []change {
	var out []change
	for r := range s.live {
		if now.Before(r.due) {
			continue
		}
		c := change{r: r, from: r.State}
		r.lost, r.peers = true, s.peers()
		r.settle()
		delete(s.live, r)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b change) int { return strings.Compare(a.r.ID, b.r.ID) })
	return out
}

// watch keeps those records in sight whose patience can run out.
func (s *stories) watch(r *record) {
	if r.due.IsZero() {
		delete(s.live, r)
		return
	}
	s.live[r] = true
}

// begin opens a story of a machine.
func (s *stories) begin(m *machine, ev *boot.Event) *record {
	id := max(ev.Time.UnixMilli(), s.last+1)
	s.last = id
	r := &record{
		Story: Story{
			ID: strconv.FormatInt(id, 36), Node: s.node, MAC: m.mac, Name: s.names(m.mac),
			Started: ev.Time, Updated: ev.Time,
		},
		at: map[phase]time.Time{}, counted: map[State]bool{},
	}
	if n := len(m.ips); n > 0 {
		r.IP = m.ips[n-1]
	}
	if len(m.stories) == s.stories {
		s.forget(m.stories[0])
		m.stories = slices.Delete(m.stories, 0, 1)
	}
	m.stories = append(m.stories, r)
	return r
}

// machineOf finds the machine of an event, or makes it known.
func (s *stories) machineOf(ev *boot.Event) *machine {
	if ev.MAC.IsZero() {
		if !known(ev.IP) {
			return nil
		}
		m := s.byIP[ev.IP]
		if m == nil && introduces(ev) {
			m = s.add(boot.MAC{})
			s.bind(m, ev.IP)
		}
		s.touch(m)
		return m
	}
	m := s.byMAC[ev.MAC]
	if m == nil {
		if !introduces(ev) {
			return nil
		}
		m = s.add(ev.MAC)
	}
	s.touch(m)
	if known(ev.IP) && ev.Kind != boot.Ignored {
		s.learn(m, ev.IP, ev.Time)
	}
	return m
}

// learn joins an address with a machine. Stories that were kept under the address alone become
// the machine's.
func (s *stories) learn(m *machine, ip netip.Addr, now time.Time) {
	other := s.byIP[ip]
	if other == m {
		return
	}
	if other == nil || !other.mac.IsZero() { // the address is somebody else's now
		s.bind(m, ip)
		return
	}
	s.drop(other)
	s.bind(m, ip)
	for _, r := range other.stories {
		if cur := m.current(); cur != nil && r.Started.Sub(cur.Updated) < linger && now.Sub(r.Updated) < linger {
			s.absorb(cur, r)
			continue
		}
		r.MAC, r.Name = m.mac, s.names(m.mac)
		m.stories = append(m.stories, r)
	}
	slices.SortStableFunc(m.stories, func(a, b *record) int { return a.Started.Compare(b.Started) })
	for len(m.stories) > s.stories {
		s.forget(m.stories[0])
		m.stories = slices.Delete(m.stories, 0, 1)
	}
}

// absorb plays the steps of one story into another.
func (s *stories) absorb(into, from *record) {
	before := len(into.Steps)
	for i := range from.Steps {
		into.apply(&from.Steps[i], s.limits.steps)
	}
	into.Started = minTime(into.Started, from.Started)
	into.proven = into.proven || from.proven
	s.kept += len(into.Steps) - before
	s.forget(from)
	s.watch(into)
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
