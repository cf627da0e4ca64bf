package relay

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lb"
	wire "surefoot/internal/wire/tftp"
)

// stats counts what backends did.
type stats struct {
	shared atomic.Int64 // requests that joined a download or found its content

	mu sync.Mutex // guards the rest
	of map[string]*backend
}

type backend struct {
	BackendStats
	suspect time.Time    // until then
	heard   atomic.Int64 // when it last sent anything new, in Unix nanoseconds
}

// alive reports whether a backend delivers to somebody at present: then it is slow, not dead.
func (b *backend) alive(now time.Time, within time.Duration) bool {
	return now.Sub(time.Unix(0, b.heard.Load())) < within
}

// BackendStats are what one backend did since the start.
type BackendStats struct {
	Running int                   `json:"running"` // downloads
	Bytes   int64                 `json:"bytes"`   // that were new
	Ended   map[boot.Reason]int64 `json:"ended,omitempty"`
}

func (s *stats) at(name string) *backend {
	if s.of == nil {
		s.of = map[string]*backend{}
	}
	b := s.of[name]
	if b == nil {
		b = &backend{BackendStats: BackendStats{Ended: map[boot.Reason]int64{}}}
		s.of[name] = b
	}
	return b
}

// begin counts a download; done is called at its end.
func (s *stats) begin(name string) (of *backend, done func(bytes int64, err error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of = s.at(name)
	of.Running++
	return of, func(bytes int64, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		b := of
		b.Running--
		b.Bytes += bytes
		b.Ended[reasonOf(err)]++
		if err == nil {
			b.suspect = time.Time{}
		}
	}
}

func (s *stats) load(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at(name).Running
}

func (s *stats) suspect(name string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.at(name).suspect)
}

// doubt makes a backend a suspect, and reports whether it was none.
func (s *stats) doubt(name string, now, until time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.at(name)
	news := !now.Before(b.suspect)
	b.suspect = until
	return news
}

// failed notes that a backend did not deliver, and tells of it once in a while.
func (r *Relay) failed(f *flight, b lb.Backend, err error) {
	reason := reasonOf(err)
	if reason != boot.BackendSilent && reason != boot.BackendDiffers {
		return // it answered
	}
	now := time.Now()
	if r.stats.doubt(b.Name, now, now.Add(r.pace.suspectFor)) {
		r.deps.Log.Warn("a backend does not deliver, another one is asked", "role", "lb", "service", r.service.Load().Name,
			"backend", b.Name, "file", f.key.file, "bytes", f.held(), "reason", string(reason), "err", err)
	}
}

// reasonOf says in one word how a download from a backend ended.
func reasonOf(err error) boot.Reason {
	var e *said
	switch {
	case err == nil, errors.Is(err, errReused):
		return boot.Done
	case errors.Is(err, errDiffers):
		return boot.BackendDiffers
	case errors.As(err, &e) && e.code == wire.ErrNotFound:
		return boot.FileMissing
	case errors.As(err, &e):
		return boot.BackendRefused
	}
	return boot.BackendSilent
}

// Stats are what a relay did since the start.
type Stats struct {
	Shared   int64                   `json:"shared"` // requests that needed no download of their own
	Cached   int64                   `json:"cached"` // bytes held
	Suspects []string                `json:"suspects,omitempty"`
	Backends map[string]BackendStats `json:"backends"`
}

// Stats returns the counters as of now.
func (r *Relay) Stats() Stats {
	r.mu.Lock()
	out := Stats{Shared: r.stats.shared.Load(), Cached: r.used, Backends: map[string]BackendStats{}}
	r.mu.Unlock()
	now := time.Now()
	r.stats.mu.Lock()
	defer r.stats.mu.Unlock()
	for _, b := range r.service.Load().Backends {
		s := r.stats.at(b.Name)
		c := s.BackendStats
		c.Ended = map[boot.Reason]int64{}
		for k, v := range s.Ended {
			c.Ended[k] = v
		}
		out.Backends[b.Name] = c
		if now.Before(s.suspect) {
			out.Suspects = append(out.Suspects, b.Name)
		}
	}
	return out
}
