// Package sqlfile is what the SQLite files of a node have in common: how one is named to the
// driver, that one process writes it, what an error of SQLite means, and how a broken file is
// moved out of the way. What is in a file is the business of its owner: store/sqlite has the
// history, store/leasedb the leases.
package sqlfile

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// File is one file, with the words for it.
type File struct {
	Path  string
	Name  string // as people know it: "history"
	InUse string // what to do if another process writes it
	Newer string // what to do if a newer version wrote it
}

// busy is how many milliseconds a connection waits for another one's lock.
const busy = 5000

// DSN is the name by which the driver opens the file with settings, in the order given.
func (f File) DSN(mode string, pragmas ...string) string {
	v := url.Values{"mode": {mode}, "_txlock": {"immediate"}}
	for _, p := range append([]string{fmt.Sprintf("busy_timeout(%d)", busy)}, pragmas...) {
		v.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: f.Path, RawQuery: v.Encode()}).String()
}

// VersionError says that a newer Surefoot wrote the file.
type VersionError struct {
	File      File
	Has, Want int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the %s %s has the form %d of a newer surefoot, this one knows %d", e.File.Name, e.File.Path, e.Has, e.Want)
}

// Hint says how to get on.
func (e *VersionError) Hint() []string { return []string{e.File.Newer} }

// DamageError is what a look at a file's content found.
type DamageError struct{ Says string }

func (e *DamageError) Error() string { return e.Says }

// Broken reports whether an error means that the file's content is damaged.
func Broken(err error) bool {
	if errors.As(err, new(*DamageError)) {
		return true
	}
	switch Code(err) {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return true
	}
	return false
}

// Code is SQLite's primary result code, 0 if the error is not one of SQLite's.
func Code(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// Passing reports whether a refusal has its cause outside of what was written: the same may be
// taken later.
func Passing(err error) bool {
	switch Code(err) {
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_NOMEM, lib.SQLITE_PERM:
		return true
	}
	return errors.Is(err, context.DeadlineExceeded)
}
