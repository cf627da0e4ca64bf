package tftp

import "time"

// Bounds of the wait before something is sent again. Boot clients wait a second and more, so the
// server must be the faster one (F27), and a client at rest costs nothing: with 1 % loss the
// first wait alone decides whether 1 MiB takes one second or fourteen.
const (
	firstRTO = 250 * time.Millisecond // before any round trip was measured
	minRTO   = 50 * time.Millisecond
	minProbe = 10 * time.Millisecond
	maxRTO   = time.Second
	// maxFixedRTO bounds what a client may fix by the option timeout: longer than this, a lost
	// packet would cost more than any client's own patience.
	maxFixedRTO = 10 * time.Second
)

// rto is the retransmission timeout of one transfer: the estimate of RFC 6298 within the bounds,
// doubled while nothing comes, or what the client fixed (RFC 2349).
type rto struct {
	now    time.Duration // what to wait at present
	fixed  bool
	known  bool // smooth and vary hold a measurement
	smooth time.Duration
	vary   time.Duration
	least  time.Duration // the shortest one measured
}

func newRTO(fixed time.Duration) rto {
	if fixed > 0 {
		return rto{now: min(fixed, maxFixedRTO), fixed: true}
	}
	return rto{now: firstRTO}
}

// measure takes the round trip of packets that were sent once.
func (r *rto) measure(sample time.Duration) {
	if !r.known {
		r.smooth, r.vary, r.least, r.known = sample, sample/2, sample, true
		return
	}
	r.least = min(r.least, sample)
	r.vary = (3*r.vary + (r.smooth - sample).Abs()) / 4
	r.smooth = (7*r.smooth + sample) / 8
}

// settle ends a doubling: the client is there.
func (r *rto) settle() {
	switch {
	case r.fixed:
	case r.known:
		r.now = min(max(r.smooth+4*r.vary, minRTO), maxRTO)
	default:
		r.now = firstRTO
	}
}

func (r *rto) double() {
	if !r.fixed {
		r.now = min(2*r.now, maxRTO)
	}
}

// probe is how long an answer may take before it is worth a packet to ask for it.
func (r *rto) probe() time.Duration {
	if r.known {
		return max(2*r.smooth+2*r.vary, minProbe)
	}
	return firstRTO
}

// soonest is how soon an answer can be here.
func (r *rto) soonest() time.Duration {
	if r.known {
		return r.least
	}
	return firstRTO
}
