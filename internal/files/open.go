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

// Open opens the file that a client asks for by this name, for a client of whom nothing is known.
// Errors: *NotFoundError, ErrNotAFile, ErrOutside, *TemplateError, *VersionError, or whatever the
// system says (no permission, bad disk).
func (r *Root) Open(name string) (*File, error) { return r.OpenFor(name, Asker{}) }

// OpenFor is Open for a client that templates may know something of.
func (r *Root) OpenFor(name string, a Asker) (*File, error) {
	t, broken := r.served()
	if broken != nil {
		t = &tree{} // the built-in files are there all the same
	}
	f, e, err := r.find(t, name)
	switch {
	case errors.Is(err, errAbsent) && broken != nil:
		return nil, broken
	case errors.Is(err, errAbsent) && e != nil:
		return nil, &NotFoundError{Name: name, Target: e.Target(), Near: r.near(t, e.Target())}
	case errors.Is(err, errAbsent):
		return nil, &NotFoundError{Name: name, Near: r.near(t, name)}
	case err != nil || e == nil || e.Template == "":
		return f, err
	}
	defer f.Close()
	return r.render(f, name, a)
}

// Has reports whether Open would find a file, or a template to make it from.
func (r *Root) Has(name string) bool {
	t, err := r.served()
	if err != nil {
		t = &tree{}
	}
	f, _, err := r.find(t, name)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}

// Incomplete begins the names of files that are still being uploaded: nothing hands them out.
const Incomplete = ".surefoot-upload-"

// errAbsent is a name that nothing has; OpenFor makes a NotFoundError of it.
var errAbsent = errors.New("no such file")

// find opens what stands for a name: a file, or the template that the entry names.
func (r *Root) find(t *tree, name string) (*File, *Entry, error) {
	if len(name) > maxName || strings.IndexByte(name, 0) >= 0 {
		return nil, nil, errAbsent
	}
	if e := r.entry(name, true); e != nil {
		f, err := r.lookup(t, e.Target())
		return f, e, err
	}
	f, err := r.lookup(t, name)
	if !errors.Is(err, errAbsent) {
		return f, nil, err
	}
	if e := r.entry(name, false); e != nil {
		f, err := r.lookup(t, e.Target())
		return f, e, err
	}
	return nil, nil, err
}

// lookup finds a file as it is called, without a look at the entries.
func (r *Root) lookup(t *tree, name string) (*File, error) {
	exact := strings.TrimLeft(name, "/") // every TFTP client may send one: it means the root
	f, err := t.openExact(exact)
	if !errors.Is(err, errAbsent) {
		return f, err
	}
	if b, ok := r.builtin[exact]; ok {
		return builtinFile(exact, b, r.started), nil
	}
	if !r.fold {
		return nil, err
	}
	return r.openFolded(t, name)
}

func (r *Root) openFolded(t *tree, name string) (*File, error) {
	clean := slashed(name)
	if clean == "" {
		return nil, fmt.Errorf("open %q: %w", name, ErrNotAFile)
	}
	if !filepath.IsLocal(clean) {
		return nil, fmt.Errorf("open %.200q: %w", name, ErrOutside)
	}
	clean = path.Clean(clean)
	if found, ok := t.resolve(clean); ok {
		if f, err := t.openExact(found); !errors.Is(err, errAbsent) {
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

// openExact opens a path below the tree as it is. O_NONBLOCK keeps a pipe without a writer from
// blocking the open; the kind is then checked on the descriptor, where nobody can exchange it.
func (t *tree) openExact(name string) (*File, error) {
	if strings.Contains("/"+name, "/"+Incomplete) {
		return nil, errAbsent
	}
	if name == "" {
		return nil, fmt.Errorf("open %q: %w", name, ErrNotAFile)
	}
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("open %.200q: %w", name, ErrOutside)
	}
	if t == nil || t.root == nil {
		return nil, errAbsent
	}
	f, err := t.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
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
	return &File{ReaderAt: f, name: path.Clean(name), tree: t, size: fi.Size(), mod: fi.ModTime(), c: f}, nil
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
