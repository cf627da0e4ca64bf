package leasedb

import (
	"context"
	"errors"
	"fmt"

	lib "modernc.org/sqlite/lib"

	"surefoot/internal/store/sqlfile"
)

// Refusal is why a record was not kept: the word for metrics.
type Refusal string

// What a refusal may be.
const (
	Busy     Refusal = "busy"      // more records wait for the disk than may
	Slow     Refusal = "slow"      // the disk has not answered in time; the record may be there all the same
	Full     Refusal = "full"      // no room on the disk
	ReadOnly Refusal = "read-only" // the file system, or the file, takes no writes
	IO       Refusal = "io"        // the disk reports errors
	Damaged  Refusal = "damaged"   // the file is broken, and is being made anew
	Moved    Refusal = "moved"     // the file was removed or replaced while it was in use
	Closed   Refusal = "closed"    // the program ends
	Other    Refusal = "other"     // anything else; see the error
)

// refusals in the order of the list.
var refusals = [...]Refusal{Busy, Slow, Full, ReadOnly, IO, Damaged, Moved, Closed, Other}

// Answers of Keep that are the same for every file.
var (
	errBusy   = &keepError{Why: Busy, Err: errors.New("too many leases wait for the disk")}
	errClosed = &keepError{Why: Closed, Err: errors.New("the lease file is closed")}
)

// keepError says why a record was not kept.
type keepError struct {
	Why Refusal
	Err error
}

func (e *keepError) Error() string { return e.Err.Error() }

func (e *keepError) Unwrap() error { return e.Err }

// Hint says how to get on, where a person can do something about it.
func (e *keepError) Hint() []string {
	switch e.Why {
	case Full:
		return []string{"make room on the disk: leases are kept again by themselves"}
	case ReadOnly:
		return []string{"make the file and its file system writable: leases are kept again by themselves; dmesg says if the kernel turned it read-only"}
	case IO, Slow:
		return []string{"look for errors of the disk: dmesg"}
	}
	return nil
}

// WhyNot is the word for an answer of Keep, "" for nil.
func WhyNot(err error) Refusal {
	var e *keepError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Why
	}
	return Other
}

// refused names what a write to the file met with.
func (d *DB) refused(err error) *keepError {
	if err == nil {
		return nil
	}
	var known *keepError
	if errors.As(err, &known) {
		return known
	}
	e := &keepError{Why: Other, Err: fmt.Errorf("keep leases in %s: %w", d.cfg.File, err)}
	switch sqlfile.Code(err) {
	case lib.SQLITE_FULL:
		e.Why = Full
	case lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_CANTOPEN:
		e.Why = ReadOnly
	case lib.SQLITE_IOERR:
		e.Why = IO
	}
	switch { // errors of system calls, and of our own
	case sqlfile.NoRoom(err):
		e.Why = Full
	case sqlfile.NoWrites(err):
		e.Why = ReadOnly
	case sqlfile.Broken(err):
		e.Why = Damaged
	case errors.Is(err, context.DeadlineExceeded):
		e.Why = Slow
	}
	return e
}
