// Package publish makes versions of the files below a root and switches between them: each is a
// directory versions/ID with a manifest versions/ID.json, and the link "current" leads to the one
// that is served (package files looks it up at each request). A switch is one rename(2): whatever
// happens on the way, what is served is the old version or the new one, whole.
//
// It also compares: the files with their manifest, and what servers really deliver with both. It
// serves nothing, prints nothing and knows no site file.
package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"surefoot/internal/files"
)

// Root is a directory whose files are served. Use it from one goroutine.
type Root struct {
	dir  string
	root *os.Root
	// step is called before each change, with words for it. Tests let the program die there.
	step func(string)
}

// Open opens the directory.
func Open(dir string) (*Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, &Error{Do: "open the root " + dir, Err: plain(err), Hints: rootHints(dir, err)}
	}
	return &Root{dir: dir, root: root, step: func(string) {}}, nil
}

func rootHints(dir string, err error) []string {
	if errors.Is(err, fs.ErrNotExist) {
		return []string{"mkdir -p " + dir + "   makes it; --root names another"}
	}
	return nil
}

// Close gives the directory back.
func (r *Root) Close() error { return r.root.Close() }

// Dir returns the directory as it was given to Open.
func (r *Root) Dir() string { return r.dir }

// Error is what went wrong while something was done, with what helps.
type Error struct {
	Do    string
	Err   error
	Hints []string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Do, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *Error) Hint() []string { return e.Hints }

// plain strips operation and path, which the message has already.
func plain(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}

// lock keeps other publishers out until the file is closed, by whatever way.
func (r *Root) lock() (*os.File, error) {
	d, err := r.root.Open(files.VersionsDir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = d.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.New("somebody else is publishing there right now")
		}
		return nil, err
	}
	return d, nil
}

// sync makes what was changed in a directory last.
func (r *Root) sync(dir string) error {
	d, err := r.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// free returns how many bytes may still be written, or -1 if the system does not say.
func (r *Root) free() int64 {
	d, err := r.root.Open(".")
	if err != nil {
		return -1
	}
	defer d.Close()
	var st unix.Statfs_t
	if unix.Fstatfs(int(d.Fd()), &st) != nil {
		return -1
	}
	return int64(st.Bavail) * st.Bsize
}
