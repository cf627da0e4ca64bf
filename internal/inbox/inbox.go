// Package inbox takes files in: what machines upload by TFTP, such as crash dumps and
// configurations of switches. Only folders that somebody named take anything, each with its own
// rules. A file appears under its name when it is complete and on the disk, never before: it is
// written beside and renamed, or linked where nothing may be written over.
//
// Every path goes through os.Root. It knows nothing of TFTP, and hands nothing out.
package inbox

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/files"
)

// Folder is a directory below the root that takes files.
type Folder struct {
	Name      string         // below the root, "." for the root itself
	Overwrite bool           // a file that is there may be replaced
	MaxSize   int64          // bytes of one file; 0: DefaultMaxSize
	MaxTotal  int64          // bytes of all files of the folder; 0: no limit but the disk's
	From      []netip.Prefix // who may upload; none: everybody
}

// DefaultMaxSize is how large an upload may be where nobody says otherwise, in bytes.
const DefaultMaxSize = 100 << 20

// Error is an upload that is refused, or that failed, with its reason.
type Error struct {
	Reason boot.Reason
	Text   string
}

func (e *Error) Error() string { return e.Text }

func refuse(why boot.Reason, format string, args ...any) *Error {
	return &Error{Reason: why, Text: fmt.Sprintf(format, args...)}
}

// Inbox is the folders of a root that take files. It is safe for concurrent use.
type Inbox struct {
	root    *os.Root
	folders []*folder
}

type folder struct {
	Folder
	mu   sync.Mutex // guards the rest
	open int        // uploads under way
	used int64      // bytes of complete files, known while any upload is under way
	more int64      // bytes of those that are not complete
}

// Open opens the folders of a root, which must exist, and removes what a process that died left
// incomplete there.
func Open(dir string, folders []Folder) (*Inbox, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the root %s for uploads: %w", dir, err)
	}
	b := &Inbox{root: root}
	for _, f := range folders {
		if f.MaxSize <= 0 {
			f.MaxSize = DefaultMaxSize
		}
		f.Name = path.Clean(f.Name)
		if st, err := root.Stat(f.Name); err != nil || !st.IsDir() {
			_ = root.Close()
			return nil, &folderError{dir: dir, name: f.Name, err: err}
		}
		b.sweep(f.Name)
		b.folders = append(b.folders, &folder{Folder: f})
	}
	return b, nil
}

// folderError is an upload folder that cannot be used, with the remedy.
type folderError struct {
	dir, name string
	err       error // nil: it is no directory
}

func (e *folderError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("open the upload folder %s of %s: it is not a directory", e.name, e.dir)
	}
	return fmt.Sprintf("open the upload folder %s of %s: %v", e.name, e.dir, cause(e.err))
}

func (e *folderError) Unwrap() error { return e.err }

// Hint says what to do about it.
func (e *folderError) Hint() []string {
	return []string{fmt.Sprintf("create %s, and let the user that serves write to it (docs/tftp.md, Uploads)", path.Join(e.dir, e.name))}
}

// Close gives the root back. Uploads under way go on.
func (b *Inbox) Close() error { return b.root.Close() }

// abandoned is how long nothing was written to an incomplete file that nobody writes any more: a
// transfer is given up before. Until then it may be that of a server that finishes its last ones.
const abandoned = 10 * time.Minute

// sweep removes incomplete files that a process which died left.
func (b *Inbox) sweep(dir string) {
	entries, err := fs.ReadDir(b.root.FS(), dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), files.Incomplete) || !e.Type().IsRegular() {
			continue
		}
		if st, err := e.Info(); err == nil && time.Since(st.ModTime()) > abandoned {
			_ = b.root.Remove(path.Join(dir, e.Name()))
		}
	}
}

// folder finds the folder that a name leads to, and the name in it.
func (b *Inbox) folder(name string) (*folder, string, *Error) {
	clean := path.Clean(strings.TrimLeft(strings.ReplaceAll(name, `\`, "/"), "/"))
	dir, base := path.Split(clean)
	if dir = path.Clean(dir); strings.HasPrefix(dir, "..") || base == ".." || base == "." {
		return nil, "", refuse(boot.UploadFolder, "%.100q leads out of the root", name)
	}
	for _, f := range b.folders {
		if f.Name != dir {
			continue
		}
		if strings.HasPrefix(base, ".") || len(base) > 200 || strings.ContainsFunc(base, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, "", refuse(boot.UploadFolder, "%.100q is no name for an uploaded file", base)
		}
		return f, base, nil
	}
	return nil, "", refuse(boot.UploadFolder, "%.100q is in no folder that takes uploads", name)
}

func (f *Folder) admits(a netip.Addr) bool {
	if len(f.From) == 0 {
		return true
	}
	for _, p := range f.From {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// failed sorts an error of the system into a reason.
func failed(what string, err error) *Error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.EFBIG):
		return refuse(boot.UploadFull, "%s: %v", what, cause(err))
	case errors.Is(err, unix.EROFS):
		return refuse(boot.WriteFailed, "%s: the file system is read-only for this service (systemd: ReadWritePaths=)", what)
	case errors.Is(err, fs.ErrPermission):
		return refuse(boot.WriteFailed, "%s: the user that serves may not write there", what)
	}
	return refuse(boot.WriteFailed, "%s: %v", what, cause(err))
}

// cause strips the wrapping whose text repeats operation and path.
func cause(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	}
	return err
}
