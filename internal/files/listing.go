package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxListed  = 200_000 // names of one directory that are folded; beyond, only exact names are found
	maxCached  = 400_000 // names kept in all, about 100 bytes each
	settleTime = 2 * time.Second
)

// listings keeps the folded names of directories, so that a storm of misses (PXELINUX asks for a
// dozen absent names a boot) does not read a large directory each time. A listing is good as long
// as the directory is the same one with the same time of change.
type listings struct {
	mu    sync.Mutex // guards dirs and their count of names
	dirs  map[string]*listing
	names int
}

type listing struct {
	mu    sync.Mutex // guards the rest; held while the directory is read, so that it is read once
	dir   fs.FileInfo
	exact map[string]string // folded name to the real one; of several the first in byte order
}

// find returns the real spelling of a folded name in a directory.
func (c *listings) find(root *os.Root, dir, key string) (string, bool) {
	l := c.get(dir)
	l.mu.Lock()
	defer l.mu.Unlock()
	fi, err := root.Stat(dir)
	if err != nil || !fi.IsDir() {
		return "", false
	}
	if l.dir != nil && os.SameFile(l.dir, fi) && l.dir.ModTime().Equal(fi.ModTime()) {
		real, ok := l.exact[key]
		return real, ok
	}
	exact, ok := readNames(root, dir)
	if !ok {
		return "", false
	}
	// A directory that changed just now may change again within the same tick of its clock.
	if time.Since(fi.ModTime()).Abs() > settleTime {
		c.account(dir, l, len(l.exact), len(exact))
		l.dir, l.exact = fi, exact
	}
	real, found := exact[key]
	return real, found
}

// get returns the listing of a directory, a new one if there is none.
func (c *listings) get(dir string) *listing {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.dirs[dir]
	if l == nil {
		l = &listing{}
		if c.dirs == nil || len(c.dirs) >= 1024 {
			c.dirs, c.names = map[string]*listing{}, 0
		}
		c.dirs[dir] = l
	}
	return l
}

// account counts the names kept and forgets everything else when they become too many.
func (c *listings) account(dir string, l *listing, before, after int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dirs[dir] != l {
		return // forgotten meanwhile: it dies with its users
	}
	c.names += after - before
	if c.names > maxCached {
		c.dirs, c.names = map[string]*listing{dir: l}, after
	}
}

// readNames reads a directory's names, folded.
func readNames(root *os.Root, dir string) (map[string]string, bool) {
	d, err := root.OpenFile(dir, os.O_RDONLY|unix.O_NONBLOCK|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, false
	}
	defer d.Close()
	exact := map[string]string{}
	for len(exact) < maxListed {
		names, err := d.Readdirnames(1024)
		for _, n := range names {
			key := foldKey(n)
			if have, ok := exact[key]; !ok || n < have {
				exact[key] = n
			}
		}
		if err != nil {
			return exact, errors.Is(err, io.EOF)
		}
	}
	return exact, true
}
