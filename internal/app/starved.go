package app

import (
	"fmt"
	"sync"
	"time"

	"surefoot/internal/alert"
	"surefoot/internal/boot"
)

// starved remembers where new machines were refused because there were too many of them (starvation). Roles name
// networks and interfaces of the site file alone, so that it stays small.
type starved struct {
	mu sync.Mutex // guards at
	at map[starvedPlace]*refusals
}

type starvedPlace struct{ network, iface string }

// refusals are those of one place since they began.
type refusals struct {
	n           int
	first, last time.Time
	peer        string
}

// starvedFor is how long after the last refusal it is told of.
const starvedFor = 5 * time.Minute

// emit takes what a DHCP server tells to the journal, and notes whom it refuses.
func (s *starved) emit(next boot.Emit) boot.Emit {
	return func(ev boot.Event) {
		if ev.Reason == boot.StarvationLimit {
			s.note(ev)
		}
		next.To(ev)
	}
}

func (s *starved) note(ev boot.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		s.at = map[starvedPlace]*refusals{}
	}
	p := starvedPlace{ev.Network, ev.If}
	r := s.at[p]
	if r == nil || ev.Time.Sub(r.last) > starvedFor {
		r = &refusals{first: ev.Time}
		s.at[p] = r
	}
	r.n++
	r.last, r.peer = ev.Time, ev.Peer
}

// troubles are those that last.
func (s *starved) troubles(now time.Time) []alert.Trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []alert.Trouble
	for p, r := range s.at {
		if now.Sub(r.last) > starvedFor {
			delete(s.at, p)
			continue
		}
		out = append(out, alert.Trouble{
			Code: alert.Starvation, Severity: alert.Warning, Labels: []string{"network", p.network, "interface", p.iface},
			Title:    fmt.Sprintf("new machines of network %s are refused at %s: too many at once", p.network, p.iface),
			Evidence: []string{fmt.Sprintf("%d refusals since %s, the last of what came from %s", r.n, clock(r.first), r.peer)},
			Meaning:  "somebody invents machines there, so that the addresses would run out; those that have a lease or a reservation are answered",
			Fix:      "find who sends from there (the port of its MAC address in the switch's table), and switch on DHCP snooping, or DHCPv6 guard, and port security",
		})
	}
	return out
}
