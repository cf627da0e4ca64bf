package files

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// The names below a root that holds versions.
const (
	VersionsDir  = "versions" // each version is a directory in it
	CurrentLink  = "current"  // leads to the version that is served
	PreviousLink = "previous" // leads to the one before it
)

var versionRegexp = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// IsVersion reports whether a text can be the name of a version.
func IsVersion(id string) bool {
	return versionRegexp.MatchString(id) && !strings.HasSuffix(id, ".json") // its manifest's name
}

// VersionError says that the version that "current" leads to cannot be served.
type VersionError struct {
	ID  string
	Err error
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("open the version %s that %s leads to: %v", e.ID, CurrentLink, e.Err)
}

func (e *VersionError) Unwrap() error { return e.Err }

// tree is a directory in which names are looked up: the root, or a version below it.
type tree struct {
	root    *os.Root // nil: nothing is in it
	version string
	self    fs.FileInfo // of a version, to notice another directory in its place
	cache   listings
	index   index
}

func (t *tree) id() string {
	if t == nil {
		return ""
	}
	return t.version
}

// Linked returns the version that a link below a root leads to. ok is false if it is no such link:
// a directory that somebody called "current" makes no versions.
func Linked(root *os.Root, link string) (id string, ok bool) {
	to, err := root.Readlink(link)
	if err != nil {
		return "", false
	}
	dir, id := path.Split(path.Clean(to))
	return id, dir == VersionsDir+"/" && IsVersion(id)
}

// served returns the tree that names are looked up in now. It is asked at each request, so that
// a switch counts from the next one on. The tree of an earlier version is left to those who still
// use it: the garbage collector closes its directory.
func (r *Root) served() (*tree, error) {
	if r.top.root == nil {
		return r.top, nil
	}
	id, ok := Linked(r.top.root, CurrentLink)
	if !ok {
		return r.top, nil
	}
	dir := VersionsDir + "/" + id
	there, err := r.top.root.Stat(dir)
	if err == nil && !there.IsDir() {
		err = unix.ENOTDIR
	}
	if err != nil {
		return nil, &VersionError{ID: id, Err: cause(err)}
	}
	if t := r.version.Load(); t != nil && t.version == id && os.SameFile(t.self, there) {
		return t, nil
	}
	t := &tree{version: id}
	if t.root, err = r.top.root.OpenRoot(dir); err == nil {
		t.self, err = t.root.Stat(".")
	}
	if err != nil {
		return nil, &VersionError{ID: id, Err: cause(err)}
	}
	r.version.Store(t) // of two at the same time one is kept
	return t, nil
}

// Version returns the version that is served now, "" if the root has none. An error says that
// there is one, and that it cannot be served.
func (r *Root) Version() (string, error) {
	t, err := r.served()
	return t.id(), err
}

// ServedDir returns the directory whose files are served for a root: itself, or its current version.
func ServedDir(dir string) string {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return dir // whoever opens it will say why
	}
	defer root.Close()
	if id, ok := Linked(root, CurrentLink); ok {
		return path.Join(dir, VersionsDir, id)
	}
	return dir
}
