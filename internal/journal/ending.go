package journal

// ending is a story that came to an end of some kind, or nothing.
type ending struct{ s *Story }

// end returns the story if the change ended it. j.mu is held.
func (j *Journal) end(c change) ending {
	if j.ended == nil || c.r.State == Running || c.r.State == c.from {
		return ending{}
	}
	s := c.r.snapshot(true)
	return ending{&s}
}

// tell hands the story on, outside of the lock.
func (e ending) tell(to func(Story)) {
	if e.s != nil {
		to(*e.s)
	}
}
