package journal

import (
	"maps"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"surefoot/internal/boot"
)

// steps counts events by their kind and reason. It finds the counter of a pair that it had before in a third of
// the time: there are a few dozen of them, and one is looked for at each packet of a storm.
type steps struct {
	vec  *prometheus.CounterVec
	have atomic.Pointer[map[step]prometheus.Counter] // never changed, only replaced
}

type step struct {
	kind   boot.Kind
	reason boot.Reason
}

func newSteps(vec *prometheus.CounterVec) *steps { return &steps{vec: vec} }

func (s *steps) of(ev *boot.Event) prometheus.Counter {
	k := step{ev.Kind, ev.Reason}
	have := s.have.Load()
	if have != nil {
		if c, ok := (*have)[k]; ok {
			return c
		}
	}
	c := s.vec.WithLabelValues(string(ev.Kind), string(ev.Reason))
	next := map[step]prometheus.Counter{k: c}
	if have != nil {
		maps.Copy(next, *have)
	}
	s.have.CompareAndSwap(have, &next) // whoever loses adds it the next time
	return c
}
