// Package files finds the files that are handed out: by the name that a boot client asks for,
// below one directory, and never outside it. The exact name counts first; then, since firmware
// and the people who configure it vary case and slashes (F30), the folded name. Entries give
// names to files that are called otherwise, and to texts that are made for each client
// (entry.go, template.go). A directory that holds versions is served as the one that its link
// "current" leads to, looked up at each request (tree.go).
//
// Every path goes through os.Root, so neither ".." nor a link leads out, and only regular files
// are opened, so that a pipe in the directory hangs nobody (F32). It is not a cache of contents
// and it writes nothing: package publish makes versions.
package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Errors of Open that callers tell apart, with errors.Is.
var (
	ErrNotAFile = errors.New("not a regular file")
	ErrOutside  = errors.New("leads out of the root")
)

// NotFoundError says that nothing has the name, and what has a similar one.
type NotFoundError struct {
	Name   string   // as asked for
	Target string   // what the entry of that name stands for, if it is this that is not there
	Near   []string // at most three, the nearest first; paths below the root
}

func (e *NotFoundError) Error() string {
	s := fmt.Sprintf("no such file: %.200q", e.Name)
	if e.Target != "" {
		s += fmt.Sprintf(" stands for %.200q, which is not there", e.Target)
	}
	if len(e.Near) > 0 {
		s += " (near: " + strings.Join(e.Near, ", ") + ")"
	}
	return s
}

// Is makes errors.Is(err, fs.ErrNotExist) true.
func (e *NotFoundError) Is(target error) bool { return target == fs.ErrNotExist }

// Options say how names are looked up.
type Options struct {
	// Fold finds a name that differs in case or in the kind of slash, if the exact one is absent.
	Fold bool
	// Builtin are files that exist without a directory, by name; the directory's own come first.
	Builtin map[string][]byte
	// Entries are names for files that are called otherwise; see Entry.
	Entries []Entry
}

// Root is a directory of files, or none, and the built-in ones. It is safe for concurrent use.
// It holds the directory itself: when Moved says that another one is in its place, Open it anew.
type Root struct {
	dir     string
	top     *tree // the directory itself
	version atomic.Pointer[tree]
	fold    bool
	builtin map[string][]byte
	entries []Entry
	started time.Time // the built-in files' age
}

// Open opens a directory; "" stands for none, which leaves the built-in files.
func Open(dir string, o Options) (*Root, error) {
	r := &Root{
		dir: dir, top: &tree{}, fold: o.Fold, builtin: maps.Clone(o.Builtin), entries: slices.Clone(o.Entries),
		started: time.Now().Truncate(time.Second),
	}
	if dir == "" {
		return r, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, &rootError{dir: dir, err: cause(err)}
	}
	r.top.root = root
	return r, nil
}

// Dir returns the directory as it was given to Open.
func (r *Root) Dir() string { return r.dir }

// Moved reports whether something else stands at Dir than the directory that is held: it was
// renamed and another one put there, something was mounted over it, or nothing is there now.
func (r *Root) Moved() bool {
	if r.top.root == nil {
		return false
	}
	there, err := os.Stat(r.dir)
	if err != nil {
		return true
	}
	held, err := r.top.root.Stat(".")
	return err != nil || !os.SameFile(held, there)
}

// Close gives the directory back. Files that are open stay open.
func (r *Root) Close() error {
	if r.top.root == nil {
		return nil
	}
	return r.top.root.Close()
}

// File is an open regular file. Its size is that of the moment when it was opened.
type File struct {
	io.ReaderAt
	name     string
	tree     *tree
	template string
	client   Client
	size     int64
	mod      time.Time
	c        io.Closer // nil for what is in memory
}

// Name returns the path below the root, or below the version that is served, as it was found
// there. That of a text made from a template is the one asked for.
func (f *File) Name() string { return f.name }

// Version returns the version of the tree that the file is of, "" if the tree has none.
func (f *File) Version() string { return f.tree.id() }

// Template returns the path of the template that the file was made from, "" if it was not.
func (f *File) Template() string { return f.template }

// Client returns what the template was told of the client.
func (f *File) Client() Client { return f.client }

// Again opens the file once more, by the path at which it was found and in the same version.
func (f *File) Again() (*File, error) { return f.tree.openExact(f.name) }

// Size returns the length in bytes.
func (f *File) Size() int64 { return f.size }

// ModTime returns the time of the last change; of a text made from a template it is zero.
func (f *File) ModTime() time.Time { return f.mod }

// Close gives the descriptor back.
func (f *File) Close() error {
	if f.c == nil {
		return nil
	}
	return f.c.Close()
}

func builtinFile(name string, b []byte, mod time.Time) *File {
	return &File{ReaderAt: bytes.NewReader(b), name: name, size: int64(len(b)), mod: mod}
}

// rootError is a root that cannot be opened, with the remedy.
type rootError struct {
	dir string
	err error
}

func (e *rootError) Error() string { return fmt.Sprintf("open the root %s: %v", e.dir, e.err) }
func (e *rootError) Unwrap() error { return e.err }

// Hint says what to do about it.
func (e *rootError) Hint() []string {
	switch {
	case errors.Is(e.err, fs.ErrNotExist):
		return []string{"create the directory, or name the one that holds the boot files"}
	case errors.Is(e.err, fs.ErrPermission):
		return []string{"the user that serves needs to read and enter the directory (chmod a+rx, and its parents)"}
	}
	return nil
}

// cause strips the wrapping whose text repeats operation and path.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
