package lease

import "time"

// MostSkew is by how much the clocks of two nodes may differ. An ended lease rests for a minute at least
// (rest), so this leaves half of that for the second that a lease has more than it says, for the way of
// packets, and for finding out that a clock is off (Doubt).
const MostSkew = 30 * time.Second

// leastRest is for how long an ended lease rests where several nodes share a store.
const leastRest = time.Minute

// Hold is how long a node goes on in doubt after it saw clocks that differ by more than MostSkew: until
// everything is over that was promised by a clock that was behind.
func (p Pool) Hold() time.Duration { return max(p.MaxLease, p.Lease) + max(p.Rest, leastRest) }

// The functions of this file, and Merge, are the whole rule by which the shared store changes what it has of
// an address. The store runs them, and so do the models of the tests. The transaction is always: have is
// still there, and the blocks are those that owner was looked up in; then put.

// Claims says whether a claim by a node may replace what the shared store has (the zero Record for nothing)
// of an address that lies in the block of owner ("": in nobody's). In a block a claim only prolongs what the
// ID has already, or is a Sweep by the owner; reservations are not subject to blocks.
func (g Grant) Claims(have Record, node, owner string) (put Record, ok bool) {
	r := g.Record
	switch {
	case !g.Fits(have) || r.Serial <= have.Serial:
		return have, false
	case owner != "" && !g.Reserved && have.ID != r.ID && !(r.State == Free && owner == node):
		return have, false
	}
	return r, true
}

// Fits reports whether a claim may replace what the shared store has now: the record that the node decided
// by, with no later end. Serials alone do not tell: two nodes count on from the same one, and a node may have
// raised an end that the store does not know, or the other way round. No clock is looked at here: the node
// that decided did, and took the rest into account.
func (g Grant) Fits(have Record) bool {
	return have.Serial == g.Prev && have.ID == g.PrevID && !have.Expires.After(g.PrevEnd)
}

// End is Merge of a release or a decline: nothing may have happened to the lease since, by which the machine
// would not mean that one any more. A decline names no machine, so there the Serial has to be the next one.
func End(have, mine Record) (put Record, ok bool) {
	switch {
	case mine.State == Released && (have.ID != mine.ID || have.Serial >= mine.Serial):
		return have, false
	case mine.State == Declined && have.Serial+1 != mine.Serial:
		return have, false
	}
	return Merge(have, mine)
}
