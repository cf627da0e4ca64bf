package sqlite

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// InUseError says that another process writes this history.
type InUseError struct{ File string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("another surefoot writes the history %s", e.File)
}

// Hint says how to get on.
func (e *InUseError) Hint() []string {
	return []string{"give this node a file of its own: history: {file: PATH}, or none: history: {file: none}"}
}

// lock makes sure that one process writes: two would roll up what the other has not yet written.
// SQLite's own locks are held for a transaction only. The kernel takes this one back when the
// process ends, however it does.
func lock(file string) (*os.File, error) {
	f, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock the history: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if err == unix.EWOULDBLOCK {
			return nil, &InUseError{file}
		}
		return nil, fmt.Errorf("lock the history %s: %w", file, err)
	}
	return f, nil
}
