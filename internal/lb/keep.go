package lb

import (
	"net/netip"
	"sync"
	"time"
)

// Keeper remembers which backend each client has, for Service.Persist. It holds two generations of
// bounded size: however many addresses ask, real or forged, it does not grow. It is safe for
// concurrent use.
type Keeper struct {
	mu       sync.Mutex // guards the rest
	now, old map[netip.Addr]kept
}

type kept struct {
	backend string
	until   time.Time
}

// maxKept is how many clients one generation holds.
const maxKept = 16384

// Get returns the backend of a client, "" if it has none.
func (k *Keeper) Get(client netip.Addr, now time.Time) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.now[client]
	if !ok {
		e = k.old[client]
	}
	if !now.Before(e.until) {
		return ""
	}
	return e.backend
}

// Set notes it until then.
func (k *Keeper) Set(client netip.Addr, backend string, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.now) >= maxKept {
		k.now, k.old = nil, k.now
	}
	if k.now == nil {
		k.now = map[netip.Addr]kept{}
	}
	k.now[client] = kept{backend, until}
}
