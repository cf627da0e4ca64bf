package etcd

import (
	"net/netip"
	"sync"
	"time"
)

// heard is from where packets came, and when the last one did: each relay, and each network on whose
// wire this node has an interface.
type heard struct {
	mu sync.RWMutex // guards the map; its values have locks of their own
	at map[Source]*last
}

type last struct {
	mu sync.Mutex // guards second
	at int64
}

// Source is where packets come from: a relay, or the wire of a network itself.
type Source struct {
	Network string
	Relay   netip.Addr // not valid: the wire
}

// maxSources bounds what is remembered: a relay's address is what a packet says.
const maxSources = 512

// sourceFor is how long a source is told of that is silent.
const sourceFor = 24 * time.Hour

func newHeard() *heard { return &heard{at: map[Source]*last{}} }

// Hear notes a packet. It costs next to nothing.
func (c *Cluster) Hear(now time.Time, network string, relay netip.Addr) {
	c.heard.note(Source{network, relay}, now.Unix())
}

func (h *heard) note(s Source, second int64) {
	h.mu.RLock()
	l := h.at[s]
	h.mu.RUnlock()
	if l == nil {
		h.mu.Lock()
		if l = h.at[s]; l == nil {
			if len(h.at) >= maxSources {
				h.mu.Unlock()
				return
			}
			l = new(last)
			h.at[s] = l
		}
		h.mu.Unlock()
	}
	l.mu.Lock()
	l.at = max(l.at, second)
	l.mu.Unlock()
}

// snapshot is what is told to the other nodes.
func (h *heard) snapshot(now time.Time) map[string]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]int64{}
	for s, l := range h.at {
		l.mu.Lock()
		at := l.at
		l.mu.Unlock()
		if at != 0 && now.Unix()-at > int64(sourceFor/time.Second) {
			delete(h.at, s)
			continue
		}
		out[s.String()] = at
	}
	return out
}

// String is the name of a source in the store.
func (s Source) String() string {
	if s.Relay.IsValid() {
		return s.Network + "@" + s.Relay.String()
	}
	return s.Network
}
