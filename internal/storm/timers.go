package storm

import "time"

// timers is a heap of when each client wants a tick. Nearly all of them are put off before they are
// due, by a packet that comes; so an entry is only added when it is earlier than the one that its
// client has, and one that comes up too early is put back by the driver.
type timers []timer

type timer struct {
	at   time.Duration
	slot int
}

func (h *timers) push(t timer) {
	*h = append(*h, t)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up].at <= s[i].at {
			return
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
}

// pop takes the earliest; there must be one.
func (h *timers) pop() timer {
	s := *h
	top, last := s[0], len(s)-1
	s[0] = s[last]
	s = s[:last]
	*h = s
	for i := 0; ; {
		least := i
		for _, down := range [...]int{2*i + 1, 2*i + 2} {
			if down < len(s) && s[down].at < s[least].at {
				least = down
			}
		}
		if least == i {
			return top
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
}
