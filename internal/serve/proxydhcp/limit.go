package proxydhcp

import (
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/rate"
)

// maxRemembered is of how many machines something is remembered: 1 MiB.
const maxRemembered = 65_536

// perMachine and overall are how much is answered. A machine that boots asks some five times in
// its busiest second (undionly: two stages; captures/bios-undionly), a site in a storm some
// thousands.
func perMachine() rate.Rate { return rate.Rate{PerSecond: 5, Burst: 20} }
func overall() rate.Rate    { return rate.Rate{PerSecond: 20_000, Burst: 20_000} }

// limiter is one bucket for all packets and one for each machine.
type limiter struct {
	mu   sync.Mutex // guards all below
	all  rate.Bucket
	macs *rate.Table
}

func newLimiter() *limiter {
	return &limiter{macs: rate.NewTable(perMachine(), maxRemembered)}
}

// any reports whether one more packet may be looked at.
func (l *limiter) any(t time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Take(t, overall())
}

// machine reports whether one more packet of this machine may be answered.
func (l *limiter) machine(t time.Time, m boot.MAC) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.macs.Take(t, m.Uint64())
}
