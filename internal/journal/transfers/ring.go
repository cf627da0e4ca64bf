package transfers

// ring holds the last records of one outcome.
type ring struct {
	max  int
	next int // where the oldest stands, once it is full
	all  []*entry
}

// push adds a record, and returns the one that has to go for it, if any.
func (r *ring) push(e *entry) *entry {
	if len(r.all) < r.max {
		r.all = append(r.all, e)
		return nil
	}
	old := r.all[r.next]
	r.all[r.next] = e
	r.next = (r.next + 1) % r.max
	return old
}
