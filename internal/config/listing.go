package config

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/files"
)

// listing is the regular files of a root, and of EFI/BOOT in it, by their names in lower case.
type listing map[string]string

// first returns the first of the names that is there, as it is written there.
func (l listing) first(names []string) string {
	for _, n := range names {
		for _, dir := range []string{"", "efi/boot/"} {
			if f := l[dir+n]; f != "" {
				return f
			}
		}
	}
	return ""
}

// asked prefers a file that the user named, which has to be there.
func (l listing) asked(name, found, root string) (string, error) {
	if name == "" || name == boot.TestBootstrap {
		return cmp.Or(name, found), nil
	}
	if root == "" {
		return "", &RootError{File: name, Err: errors.New("there is no directory to find it in")}
	}
	r, err := os.OpenRoot(files.ServedDir(root))
	if err != nil {
		return "", &RootError{Dir: root, Err: err}
	}
	defer r.Close()
	st, err := r.Stat(path.Clean(name))
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		var near []string
		for _, f := range l {
			near = append(near, f)
		}
		slices.Sort(near)
		return "", &RootError{Dir: root, File: name, Err: err, Near: nearest(name, near)}
	}
	return name, nil
}

// maxListed bounds how many entries of a directory are looked at.
const maxListed = 10000

// list reads the root. A directory that is not there is an error, one in it that is not is none.
func list(root string) (listing, error) {
	r, err := os.OpenRoot(files.ServedDir(root))
	if err != nil {
		return nil, &RootError{Dir: root, Err: err}
	}
	defer r.Close()
	out := listing{}
	dirs, err := out.read(r, ".", "")
	if err != nil {
		return nil, &RootError{Dir: root, Err: err}
	}
	efi := dirs["efi"]
	if efi == "" {
		return out, nil
	}
	below, err := listing{}.read(r, efi, "efi/")
	if err == nil && below["efi/boot"] != "" {
		_, _ = out.read(r, below["efi/boot"], "efi/boot/") // unreadable: nothing is chosen from it
	}
	return out, nil
}

// read adds the regular files of a directory, and returns its directories.
func (l listing) read(r *os.Root, dir, prefix string) (listing, error) {
	d, err := r.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(maxListed)
	if len(entries) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	dirs := listing{}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		st, err := r.Stat(name) // follows links, as long as they stay in the root
		if err != nil {
			continue
		}
		key := prefix + strings.ToLower(e.Name())
		switch {
		case st.IsDir() && dirs[key] == "":
			dirs[key] = name
		case st.Mode().IsRegular() && l[key] == "":
			l[key] = name
		}
	}
	return dirs, nil
}
