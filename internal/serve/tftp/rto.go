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
	// A client that acknowledges nothing at all may be one in whose name somebody else asked: after
	// so many repetitions of the first packet the waits grow up to maxSilentRTO, so that it gets
	// nine packets and not thirty.
	freeTries    = 3
	maxSilentRTO = 8 * time.Second
)

// rto is the retransmission timeout of one transfer: the estimate of RFC 6298 within the bounds,
// doubled while nothing comes.
//
// Where the client's own time-out is known, from its option timeout or from what kind of client it is,
// no wait is longer than half of that (F27): a server that waits as long as its client fails at
// random, as the one of PVS did with 5 s on both sides.
//
// RFC 2349 calls timeout "the number of seconds to wait before retransmitting". Taken as the exact
// wait of the server, it would break F27 and make one lost packet cost U-Boot 5 s and curl 6 s. It is
// taken here as what both sides agree to call silence: after that time the client takes a packet for
// lost, so by then ours must have come again. A repetition that comes sooner breaks nothing: RFC 1350
// has the client drop it. But a client that names a time-out may be slow or far away, so before its
// round trip is known the first wait is the longest allowed.
type rto struct {
	now    time.Duration // what to wait at present
	first  time.Duration // before any round trip was measured
	most   time.Duration // the longest first wait for a packet
	limit  time.Duration // the longest of those that follow
	known  bool          // smooth, vary and least hold a measurement
	smooth time.Duration
	vary   time.Duration
	least  time.Duration // the shortest round trip measured
}

// newRTO makes the timer for a client that was granted a timeout, 0 for none, and has manners.
func newRTO(timeout time.Duration, m manners) rto {
	r := rto{first: firstRTO, most: maxRTO, limit: maxRTO}
	switch {
	case timeout > 0:
		r.most = min(timeout/2, maxRTO)
		r.first, r.limit = r.most, r.most
	case m.own > 0:
		r.most = min(max(m.own/2, minRTO), maxRTO)
		r.first = min(r.first, r.most)
		if !m.grows { // else the client's waits double like ours
			r.limit = r.most
		}
	}
	r.now = r.first
	return r
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

// settle ends a doubling: the client is there. A wait shorter than two round trips would send
// everything twice on a long way, whatever the client's own patience.
func (r *rto) settle() {
	r.now = r.first
	if r.known {
		most := min(max(r.most, 2*r.smooth), maxRTO)
		r.now = min(max(r.smooth+4*r.vary, minRTO), most)
	}
}

func (r *rto) backOff() { r.now = min(2*r.now, maxSilentRTO) }

func (r *rto) double() { r.now = min(2*r.now, max(r.limit, r.now)) }

// probe is how long an answer may take before it is worth a packet to ask for it.
func (r *rto) probe() time.Duration {
	if r.known {
		return max(2*r.smooth+2*r.vary, minProbe)
	}
	return r.first
}

// soonest is how soon an answer can be here.
func (r *rto) soonest() time.Duration {
	if r.known {
		return r.least
	}
	return r.first
}
