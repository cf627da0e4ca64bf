package inbox

import (
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/files"
)

// createIncomplete creates a file under a hidden name that nothing hands out. It is locked as long
// as somebody writes it: a name whose file nobody holds was left by a process that died.
func createIncomplete(dir *os.Root) (*os.File, string, error) {
	for try := 0; ; try++ {
		name := files.Incomplete + rand.Text()
		f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o644)
		if err != nil {
			return nil, "", err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && linked(f) || try == 3 {
			return f, name, nil // a file system without locks does, too: see sweep
		}
		_ = f.Close() // swept between the two calls
		_ = dir.Remove(name)
	}
}

// linked reports whether a file still has a name.
func linked(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) != nil || st.Nlink > 0
}

// abandoned is how long an incomplete file is left alone where the file system has no locks: a
// transfer is given up long before.
const abandoned = 10 * time.Minute

// sweep removes incomplete files that a process which died left. Those of a server that goes on,
// in this process (after a reload) or in another, stay.
func sweep(root *os.Root, name string) {
	dir, err := root.OpenRoot(name)
	if err != nil {
		return
	}
	defer dir.Close()
	d, err := dir.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(1024)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), files.Incomplete) && e.Type().IsRegular() && isAbandoned(dir, e.Name()) {
				_ = dir.Remove(e.Name())
			}
		}
		if err != nil { // the end, mostly
			return
		}
	}
}

func isAbandoned(dir *os.Root, name string) bool {
	st, err := dir.Lstat(name)
	if err != nil || !st.Mode().IsRegular() {
		return false
	}
	old := time.Since(st.ModTime()) > abandoned
	f, err := dir.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return old
	}
	defer f.Close()
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case err == nil:
		return true
	case errors.Is(err, unix.EWOULDBLOCK):
		return false
	}
	return old
}
