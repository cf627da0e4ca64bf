package proxydhcp

import (
	"sync"
	"time"

	"surefoot/internal/boot"
)

// How much is answered. A machine that boots asks some five times in its busiest second
// (undionly: two stages; captures/bios-undionly), a site in a storm some thousands.
const (
	perMACRate    = 5.0 // packets a second
	perMACBurst   = 20.0
	overallRate   = 20_000.0
	overallBurst  = 20_000.0
	maxRemembered = 32_768 // machines in each of two generations: some 3 MB in all
)

// bucket is a token bucket. The zero value is full.
type bucket struct {
	used float32   // tokens missing
	at   time.Time // when that was so
}

// take takes a token if there is one.
func (b *bucket) take(now time.Time, rate, burst float32) bool {
	if d := now.Sub(b.at); d > 0 {
		b.used = max(0, b.used-rate*float32(d.Seconds()))
		b.at = now
	}
	if b.used+1 > burst {
		return false
	}
	b.used++
	return true
}

// limiter is one bucket for all packets and one for each machine. What it remembers is bounded:
// when a generation is full, the one before it is forgotten, so a flood of invented addresses
// costs a fixed amount of memory and never locks out a machine.
type limiter struct {
	mu       sync.Mutex // guards all below
	overall  bucket
	now, old map[boot.MAC]bucket
}

func newLimiter() *limiter { return &limiter{now: map[boot.MAC]bucket{}} }

// any reports whether one more packet may be looked at.
func (l *limiter) any(t time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.overall.take(t, overallRate, overallBurst)
}

// machine reports whether one more packet of this machine may be answered.
func (l *limiter) machine(t time.Time, m boot.MAC) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.now[m]
	if !ok {
		b = l.old[m]
		if len(l.now) >= maxRemembered {
			l.old, l.now = l.now, make(map[boot.MAC]bucket, maxRemembered)
		}
	}
	granted := b.take(t, perMACRate, perMACBurst)
	l.now[m] = b
	return granted
}
