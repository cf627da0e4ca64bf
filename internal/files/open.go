package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxName bounds the names that are looked up at all: Linux opens no longer path.
const maxName = 4095

// Open opens the file that a client asks for by this name. Errors: *NotFoundError, ErrNotAFile,
// ErrOutside, or whatever the system says (no permission, bad disk).
func (r *Root) Open(name string) (*File, error) {
	f, err := r.lookup(name)
	if errors.Is(err, errAbsent) {
		return nil, &NotFoundError{Name: name, Near: r.near(name)}
	}
	return f, err
}

// Has reports whether Open would find a file.
func (r *Root) Has(name string) bool {
	f, err := r.lookup(name)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}

// errAbsent is a name that nothing has; Open makes a NotFoundError of it.
var errAbsent = errors.New("no such file")

func (r *Root) lookup(name string) (*File, error) {
	if len(name) > maxName || strings.IndexByte(name, 0) >= 0 {
		return nil, errAbsent
	}
	exact := strings.TrimLeft(name, "/") // every TFTP client may send one: it means the root
	f, err := r.openExact(exact)
	if !errors.Is(err, errAbsent) {
		return f, err
	}
	if b, ok := r.builtin[exact]; ok {
		return builtinFile(exact, b, r.started), nil
	}
	if !r.fold {
		return nil, err
	}
	return r.openFolded(name)
}

func (r *Root) openFolded(name string) (*File, error) {
	clean := slashed(name)
	if clean == "" {
		return nil, fmt.Errorf("open %q: %w", name, ErrNotAFile)
	}
	if !filepath.IsLocal(clean) {
		return nil, fmt.Errorf("open %.200q: %w", name, ErrOutside)
	}
	clean = path.Clean(clean)
	if found, ok := r.resolve(clean); ok {
		if f, err := r.openExact(found); !errors.Is(err, errAbsent) {
			return f, err
		}
	}
	key := foldKey(clean)
	best := ""
	for b := range r.builtin {
		if foldKey(b) == key && (best == "" || b < best) {
			best = b
		}
	}
	if best == "" {
		return nil, errAbsent
	}
	return builtinFile(best, r.builtin[best], r.started), nil
}

// openExact opens a path below the root as it is. O_NONBLOCK keeps a pipe without a writer from
// blocking the open; the kind is then checked on the descriptor, where nobody can exchange it.
func (r *Root) openExact(name string) (*File, error) {
	if name == "" {
		return nil, fmt.Errorf("open %q: %w", name, ErrNotAFile)
	}
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("open %.200q: %w", name, ErrOutside)
	}
	if r.root == nil {
		return nil, errAbsent
	}
	f, err := r.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, explain(name, err)
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = ErrNotAFile
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("open %.200q: %w", name, cause(err))
	}
	return &File{ReaderAt: f, name: path.Clean(name), size: fi.Size(), mod: fi.ModTime(), c: f}, nil
}

// explain sorts the system's errors into those that callers tell apart.
func explain(name string, err error) error {
	err = cause(err)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ENAMETOOLONG),
		errors.Is(err, unix.EINVAL):
		return errAbsent
	case errors.Is(err, unix.ENXIO): // a socket, or a pipe's other end
		err = ErrNotAFile
	case isEscape(err):
		return fmt.Errorf("open %.200q: a link in it %w (absolute links count as such)", name, ErrOutside)
	}
	return fmt.Errorf("open %.200q: %w", name, err)
}

// isEscape recognises os.Root's refusal, which has no exported value; a test holds it to it.
func isEscape(err error) bool { return err.Error() == "path escapes from parent" }
