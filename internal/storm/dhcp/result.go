package dhcp

import (
	"slices"
	"time"
)

// Result is what a storm showed.
type Result struct {
	What        What          `json:"what"`
	Machines    int           `json:"machines"`
	Begun       int           `json:"begun"`   // exchanges: more than machines where they go round
	Offered     int           `json:"offered"` // exchanges with an offer
	Leases      int           `json:"leases"`  // with an address
	Refused     int           `json:"refused"` // NAKs: the end of who asks for what he had; others begin anew
	Failed      int           `json:"failed"`  // without an answer to any of their packets
	Changed     int           `json:"changed"` // that asked for the address they had, and got another
	ByTry       []int         `json:"by_try"`  // how many were answered at their first packet, second, ...
	Slowest     time.Duration `json:"slowest_ns"`
	Twice       []string      `json:"twice,omitempty"` // addresses that two machines got
	Sent        int           `json:"sent"`
	Offers      int           `json:"offers"`  // all that came, those of several servers as well
	Strange     int           `json:"strange"` // replies to nobody's question
	Elapsed     time.Duration `json:"elapsed_ns"`
	OfferTime   Times         `json:"offer_time"` // from the last DISCOVER to its OFFER
	ACKTime     Times         `json:"ack_time"`   // from the last REQUEST to its ACK
	PerSecond   float64       `json:"per_second"` // leases, or offers where only those were wanted
	Lost        uint64        `json:"lost"`       // replies that this program did not read in time
	Interrupted bool          `json:"interrupted,omitempty"`

	offer, ack times
}

// Times are percentiles.
type Times struct {
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
	Max time.Duration `json:"max_ns"`
}

// times are durations in microseconds.
type times []uint32

func (t *times) add(d time.Duration) { *t = append(*t, uint32(min(d.Microseconds(), 1<<32-1))) }

func (t times) percentiles() Times {
	if len(t) == 0 {
		return Times{}
	}
	slices.Sort(t)
	at := func(p float64) time.Duration { return time.Duration(t[int(p*float64(len(t)-1))]) * time.Microsecond }
	return Times{P50: at(0.5), P99: at(0.99), Max: at(1)}
}

// end computes what follows from the counts.
func (r *Result) end(what What, elapsed time.Duration) {
	r.Elapsed = elapsed
	r.OfferTime, r.ACKTime = r.offer.percentiles(), r.ack.percentiles()
	n := r.Leases
	if what == Offer {
		n = r.Offered
	}
	if elapsed > 0 {
		r.PerSecond = float64(n) / elapsed.Seconds()
	}
}

// OK reports whether every machine got what it wanted, and nobody what another has.
func (r *Result) OK() bool {
	return r.Failed == 0 && (r.What != Again || r.Refused == 0) && r.Changed == 0 && len(r.Twice) == 0 && !r.Interrupted
}
