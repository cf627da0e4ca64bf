package lease

// Merge says what the shared store shall have instead of what it has (the zero Record for nothing),
// given a record that a node kept without a claim: on its own authority, or of a release or decline.
// It never lowers the end of a lease and never gives an address to another ID. As with a claim, the
// transaction is: have is still there, then put.
func Merge(have, mine Record) (put Record, ok bool) {
	later := mine.Expires.After(have.Expires)
	switch {
	case have.Serial == 0:
		return mine, true
	case have.State == Free:
		// Swept after this lease ended: whoever has it now is not this one.
		if !mine.Expires.After(have.Start) {
			return have, false
		}
		mine.Serial = max(mine.Serial, have.Serial+1)
		return mine, true
	case mine.Serial > have.Serial && have.State != Declined && (mine.ID == have.ID || mine.State == Declined):
		if !later {
			mine.Expires = have.Expires
		}
		return mine, true
	case later && (mine.ID == have.ID || have.State == Declined):
		have.Expires = mine.Expires
		have.Serial = max(have.Serial, mine.Serial) + 1
		return have, true
	case mine.Serial > have.Serial && have.ID != mine.ID && mine.Start.After(have.Expires):
		// A store that was set back has a lease that was over when this one was given. Without that it does
		// not occur: a node gives on its own authority only what nobody has.
		return mine, true
	}
	return have, false
}
