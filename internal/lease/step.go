package lease

import "time"

// The clock of a node may be set while it runs: a machine without a battery for its clock starts in 1970, and
// hears of the time some seconds later. Its clients notice nothing: they count from when they asked.

// skewed is by how much a record's Start may lie ahead of the clock without meaning anything.
const skewed = 60

// Stepped is said after the clock went forward by more than what went by, or back by less than nothing, and
// with 0 after Load. began is when this Book's node began to give leases, by the clock as it was. The records
// it returns are to be kept, as those of Decline are.
//
// Forward: leases that were given since began, and were not over before, have as much left as they had. Back:
// what was given by a clock that was ahead ends as long after now as it would have after it was given, at
// most. Neither makes a lease shorter than its client believes. Where several nodes share a store, their
// clocks have to agree, and nothing is changed.
func (b *Book) Stepped(now time.Time, by time.Duration, began time.Time) []Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Record
	t, was, since := second(now), second(now.Add(-by)), second(began)
	for _, s := range b.scopes {
		if s.shared {
			continue
		}
		for i := range s.rows.used {
			if w := s.rows.at(i + 1); w.pos != nowhere && s.redate(w, t, was, since) {
				_, used := s.serials(w.pos)
				w.serial = used + 1
				out = append(out, s.record(w))
			}
		}
		for i := range s.holds.used {
			h := s.holds.at(i + 1)
			if h.pos == nowhere || h.until == 0 {
				continue
			}
			if was < t && h.until >= was {
				h.until = plus(h.until, by) // its element in lapse comes up too early, and is put in again
			}
			if most := plus(t, max(s.pool.Offer, shortLease)); h.until > most {
				h.until = most
				s.lapse.put(&h.due, most, i+1)
			}
		}
	}
	return out
}

// redate changes the times of a row, and reports whether it did.
func (s *scope) redate(w *row, now, was, since uint32) bool {
	start, end := w.start, w.expires
	switch {
	case was < now && w.state == Active && start >= since && start <= was && end >= was:
		start, end = start+(now-was), plus(end, time.Duration(now-was)*time.Second)
	case start > now+skewed && end > start:
		longest := max(time.Duration(end-start)*time.Second, s.pool.Lease, s.pool.MaxLease)
		start, end = now, min(end, plus(now, longest))
	}
	if start == w.start && end == w.expires {
		return false
	}
	w.start = start
	s.until(w, end)
	return true
}
