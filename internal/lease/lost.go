package lease

import "errors"

// What a store that several nodes share says of a record that did not get there.
var (
	// ErrLost: another record is there, of another machine or a later one of the same. It was loaded
	// before this is said, so asking the Book again gives another answer.
	ErrLost = errors.New("another node was first")
	// ErrNoContact: no answer in time. The record may still get there.
	ErrNoContact = errors.New("the shared store does not answer")
)
