package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// part is something in a tree.
type part struct {
	name string // with slashes, below the tree
	mode fs.FileMode
	size int64
	mod  time.Time
	link string // where it leads to
}

func (p part) isFile() bool { return p.mode.IsRegular() }
func (p part) isLink() bool { return p.mode&fs.ModeSymlink != 0 }

// refused collects what may not be in a tree.
type refused []string

const maxRefused = 10

func (r refused) err() error {
	if len(r) == 0 {
		return nil
	}
	text := strings.Join(r[:min(len(r), maxRefused)], "; ")
	if n := len(r) - maxRefused; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return errors.New(text)
}

// scan lists a tree, folders before what is in them. Whatever is no file, folder or link within
// the tree is refused, all of it at once.
func scan(root *os.Root, skip func(string) bool) ([]part, error) {
	var out []part
	var bad refused
	for dirs := []string{"."}; len(dirs) > 0; dirs = dirs[1:] {
		entries, err := readDir(root, dirs[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dirs[0], plain(err))
		}
		for _, e := range entries {
			name := path.Join(dirs[0], e.Name())
			if skip != nil && skip(name) {
				continue
			}
			fi, err := root.Lstat(name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, plain(err))
			}
			p := part{name: name, mode: fi.Mode(), size: fi.Size(), mod: fi.ModTime()}
			switch {
			case !utf8.ValidString(name):
				bad = append(bad, fmt.Sprintf("%q is not UTF-8", name))
			case p.mode.IsDir():
				dirs = append(dirs, name)
			case p.isLink():
				if p.link, err = checkLink(root, name); err != nil {
					bad = append(bad, fmt.Sprintf("%q %v", name, err))
				}
			case !p.isFile():
				bad = append(bad, fmt.Sprintf("%q is %s", name, kindOf(p.mode)))
			}
			out = append(out, p)
		}
	}
	return out, bad.err()
}

func readDir(root *os.Root, dir string) ([]os.DirEntry, error) {
	d, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// checkLink returns where a link leads to, if that is within the tree.
func checkLink(root *os.Root, name string) (string, error) {
	to, err := root.Readlink(name)
	if err != nil {
		return "", plain(err)
	}
	if path.IsAbs(to) {
		return to, fmt.Errorf("is a link with an absolute path (%s): use a relative one", to)
	}
	switch _, err := root.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return to, fmt.Errorf("is a link that leads to nothing (%s)", to)
	case err != nil:
		return to, fmt.Errorf("is a link that leads out of the folder (%s)", to)
	}
	return to, nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "no file"
}
