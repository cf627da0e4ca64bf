package inbox

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path"

	"surefoot/internal/boot"
)

// File is an upload under way. It is for one goroutine. It has its folder open, so that it goes on
// when the Inbox is closed.
type File struct {
	f      *folder
	dir    *os.Root
	base   string // the name in the folder
	temp   string // the one until it is complete
	disk   *os.File
	size   int64
	closed bool
}

// Create begins a file that a client asked to upload, of size bytes if it said so, else -1. Errors
// are of type *Error.
func (b *Inbox) Create(name string, from netip.Addr, size int64) (*File, error) {
	f, base, bad := b.find(name)
	if bad != nil {
		return nil, bad
	}
	if !f.admits(from) {
		return nil, refuse(boot.UploadDenied, "%s is in none of the networks that may upload to %s", from, f.Name)
	}
	if size > f.MaxSize {
		return nil, refuse(boot.UploadTooLarge, "%d bytes, and %d are allowed", size, f.MaxSize)
	}
	dir, err := b.root.OpenRoot(f.Name)
	if err != nil {
		return nil, failed("open the folder "+f.Name, err)
	}
	x := &File{f: f, dir: dir, base: base}
	_, bad = x.target()
	if bad == nil {
		bad = f.enter(dir, max(size, 0))
	}
	if bad != nil {
		_ = dir.Close()
		return nil, bad
	}
	if x.disk, x.temp, err = createIncomplete(dir); err != nil {
		_ = dir.Close()
		f.leave(0, 0)
		return nil, failed("create a file in "+f.Name, err)
	}
	return x, nil
}

// target says whether the name may be taken, and how many bytes a file has that will be replaced.
func (x *File) target() (int64, *Error) {
	st, err := x.dir.Lstat(x.base)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, failed("look for "+x.Name(), err)
	case !x.f.Overwrite:
		return 0, refuse(boot.UploadExists, "the folder %s takes new names only (mode: create)", x.f.Name)
	case !st.Mode().IsRegular():
		return 0, refuse(boot.UploadExists, "%s is no regular file", x.Name())
	}
	return st.Size(), nil
}

// Name returns the path below the root that the file will have.
func (x *File) Name() string { return path.Join(x.f.Name, x.base) }

// Most returns how many bytes the file may have.
func (x *File) Most() int64 { return x.f.MaxSize }

// Write appends.
func (x *File) Write(p []byte) (int, error) {
	if x.size+int64(len(p)) > x.f.MaxSize {
		return 0, refuse(boot.UploadTooLarge, "more than %d bytes", x.f.MaxSize)
	}
	if bad := x.f.grow(int64(len(p))); bad != nil {
		return 0, bad
	}
	x.size += int64(len(p))
	if _, err := x.disk.Write(p); err != nil {
		return 0, failed("write "+x.Name(), err)
	}
	return len(p), nil
}

// Commit makes the file appear under its name, once it is on the disk.
func (x *File) Commit() error {
	defer x.Abort() // does nothing to a file that has its name
	if err := x.disk.Sync(); err != nil {
		return failed("write "+x.Name(), err)
	}
	old, bad := x.target() // one may have come meanwhile
	if bad != nil {
		return bad
	}
	switch err := place(x.dir, x.temp, x.base, x.f.Overwrite); {
	case errors.Is(err, fs.ErrExist):
		return refuse(boot.UploadExists, "it came while this one did")
	case err != nil:
		return failed("name "+x.Name(), err)
	}
	x.end(x.size - old)
	return nil
}

// Abort forgets the file. After Commit it does nothing.
func (x *File) Abort() {
	if x.closed {
		return
	}
	_ = x.dir.Remove(x.temp)
	x.end(0)
}

func (x *File) end(stay int64) {
	x.closed = true
	_ = x.disk.Close()
	_ = x.dir.Close()
	x.f.leave(x.size, stay)
}
