package lease

import (
	"net/netip"
	"time"
)

// Range is addresses from one to another, both included.
type Range struct{ From, To netip.Addr }

// Contains reports whether an address is in the range.
func (r Range) Contains(a netip.Addr) bool { return r.From.Compare(a) <= 0 && a.Compare(r.To) <= 0 }

// Pool is one scope as configured. It is not changed after it was handed over; a reload makes new
// ones. A duration of zero means its default.
type Pool struct {
	Scope      string
	Subnet     netip.Prefix
	Ranges     []Range
	Exclude    []netip.Addr      // inside ranges, and never given
	Reserved   map[ID]netip.Addr // inside the ranges or outside, and given to nobody else
	Lease      time.Duration     // 1 h
	MinLease   time.Duration     // what a client may ask for at least (option 51); 60 s
	MaxLease   time.Duration     // and at most; Lease
	Offer      time.Duration     // how long an OFFER keeps its address (Q7); 60 s
	Decline    time.Duration     // how long a declined address is not given; 1 h
	Rest       time.Duration     // how long an ended lease waits before another machine gets its address
	ByClientID bool              // leases belong to the option 61 rather than to the hardware address
}
