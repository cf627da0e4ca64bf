package sqlfile

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// InUseError says that another process writes the file.
type InUseError struct{ File File }

func (e *InUseError) Error() string {
	return fmt.Sprintf("another surefoot writes the %s %s", e.File.Name, e.File.Path)
}

// Hint says how to get on.
func (e *InUseError) Hint() []string { return []string{e.File.InUse} }

// Lock makes sure that one process writes. SQLite's own locks are held for a transaction only.
// The kernel takes this one back when the process ends, however it does.
func (f File) Lock() (*os.File, error) {
	held, err := os.OpenFile(f.Path+".lock", os.O_CREATE|os.O_RDWR, 0o640)
	if errors.Is(err, unix.EROFS) { // one that is there can be held all the same
		if there, again := os.Open(f.Path + ".lock"); again == nil {
			held, err = there, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock the %s: %w", f.Name, err)
	}
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = held.Close()
		if err == unix.EWOULDBLOCK {
			return nil, &InUseError{f}
		}
		return nil, fmt.Errorf("lock the %s %s: %w", f.Name, f.Path, err)
	}
	return held, nil
}
