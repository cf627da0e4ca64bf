package dnsboot

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/rate"
)

// limiter bounds what a network is sent by UDP, where the sender's address may be forged so that
// the answers hit somebody else. Of the queries beyond the limit every second one is answered with
// an empty, truncated answer, no longer than the query: whoever really asks comes back by TCP.
type limiter struct {
	perSecond int
	shards    []shard
}

type shard struct {
	mu      sync.Mutex // guards what follows
	buckets *rate.Table
	over    uint
}

const (
	shards    = 16
	slipEvery = 2
	// remembered is how many networks each shard keeps, 16 bytes each.
	remembered = 8192
)

// newLimiter makes a limiter, or nil for no limit.
func newLimiter(perSecond int) *limiter {
	l := &limiter{perSecond: perSecond}
	if perSecond <= 0 {
		return l
	}
	l.shards = make([]shard, shards)
	for i := range l.shards {
		l.shards[i].buckets = rate.NewTable(rate.Rate{PerSecond: float32(perSecond), Burst: 2 * float32(perSecond)}, remembered)
	}
	return l
}

// take says whether a query may be answered: Answered, RateSlipped or RateLimited.
func (l *limiter) take(now time.Time, from netip.Addr) boot.Reason {
	if len(l.shards) == 0 {
		return boot.Answered
	}
	key := network(from)
	s := &l.shards[(key*0x9e3779b97f4a7c15)>>60]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets.Take(now, key) {
		return boot.Answered
	}
	s.over++
	if s.over%slipEvery == 0 {
		return boot.RateSlipped
	}
	return boot.RateLimited
}

// network is the /24, or the /56 of IPv6, that an address is in.
func network(a netip.Addr) uint64 {
	if a.Is4() || a.Is4In6() {
		b := a.Unmap().As4()
		return uint64(b[0])<<16 | uint64(b[1])<<8 | uint64(b[2])
	}
	b := a.As16()
	return 1<<63 | binary.BigEndian.Uint64(b[:8])>>8
}
