package inbox

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path"

	"surefoot/internal/boot"
	"surefoot/internal/files"
)

// File is an upload under way. It is for one goroutine.
type File struct {
	b      *Inbox
	f      *folder
	name   string // below the root
	temp   string
	disk   *os.File
	size   int64
	closed bool
}

// Create begins a file that a client asked to upload, of size bytes if it said so, else -1. Errors
// are of type *Error.
func (b *Inbox) Create(name string, from netip.Addr, size int64) (*File, error) {
	f, base, bad := b.folder(name)
	if bad != nil {
		return nil, bad
	}
	if !f.admits(from) {
		return nil, refuse(boot.UploadDenied, "%s is in none of the networks that may upload to %s", from, f.Name)
	}
	if size > f.MaxSize {
		return nil, refuse(boot.UploadTooLarge, "%d bytes, and %d are allowed", size, f.MaxSize)
	}
	x := &File{b: b, f: f, name: path.Join(f.Name, base), temp: path.Join(f.Name, files.Incomplete+rand.Text())}
	if bad := x.target(); bad != nil {
		return nil, bad
	}
	if bad := f.enter(b.root, max(size, 0)); bad != nil {
		return nil, bad
	}
	var err error
	if x.disk, err = b.root.OpenFile(x.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644); err != nil {
		f.leave(0, 0)
		return nil, failed("create a file in "+f.Name, err)
	}
	return x, nil
}

// target says whether the name may be taken.
func (x *File) target() *Error {
	st, err := x.b.root.Lstat(x.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return failed("look for "+x.name, err)
	case !x.f.Overwrite:
		return refuse(boot.UploadExists, "%s is there already, and this folder takes new files only", x.name)
	case !st.Mode().IsRegular():
		return refuse(boot.UploadExists, "%s is there and is not a regular file", x.name)
	}
	return nil
}

// Name returns the path below the root that the file will have.
func (x *File) Name() string { return x.name }

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
		return 0, failed("write "+x.name, err)
	}
	return len(p), nil
}

// Commit makes the file appear under its name, once it is on the disk.
func (x *File) Commit() error {
	err := x.disk.Sync()
	if err == nil {
		err = x.disk.Close()
	}
	if err != nil {
		x.Abort()
		return failed("write "+x.name, err)
	}
	if bad := x.target(); bad != nil { // it came meanwhile
		x.Abort()
		return bad
	}
	var old int64
	if x.f.Overwrite {
		if st, err := x.b.root.Lstat(x.name); err == nil {
			old = st.Size()
		}
		err = x.b.root.Rename(x.temp, x.name)
	} else if err = x.b.root.Link(x.temp, x.name); err == nil { // which never replaces anything
		_ = x.b.root.Remove(x.temp)
	}
	if errors.Is(err, fs.ErrExist) {
		x.Abort()
		return refuse(boot.UploadExists, "%s was made by somebody else meanwhile", x.name)
	}
	if err != nil {
		x.Abort()
		return failed("name "+x.name, err)
	}
	x.closed = true
	x.f.leave(x.size, x.size-old)
	x.syncFolder()
	return nil
}

// syncFolder makes the name last. The content does already.
func (x *File) syncFolder() {
	if d, err := x.b.root.Open(x.f.Name); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// Abort forgets the file. After Commit it does nothing.
func (x *File) Abort() {
	if x.closed {
		return
	}
	x.closed = true
	_ = x.disk.Close()
	_ = x.b.root.Remove(x.temp)
	x.f.leave(x.size, 0)
}

// enter counts an upload that begins, and refuses one that finds no room.
func (f *folder) enter(root *os.Root, size int64) *Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == 0 && f.MaxTotal > 0 {
		used, err := sizeOf(root, f.Name)
		if err != nil {
			return failed("read "+f.Name, err)
		}
		f.used, f.more = used, 0
	}
	if f.MaxTotal > 0 && f.used+f.more+max(size, 1) > f.MaxTotal {
		return refuse(boot.UploadFull, "the folder %s has %d of at most %d bytes", f.Name, f.used+f.more, f.MaxTotal)
	}
	f.open++
	return nil
}

// grow counts bytes of an upload.
func (f *folder) grow(n int64) *Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.MaxTotal > 0 && f.used+f.more+n > f.MaxTotal {
		return refuse(boot.UploadFull, "the folder %s would have more than %d bytes", f.Name, f.MaxTotal)
	}
	f.more += n
	return nil
}

// leave counts an upload that ended with size bytes, of which so many stay.
func (f *folder) leave(size, stay int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
	f.more -= size
	f.used += stay
}

// sizeOf adds up the complete files of a folder, not of those below it.
func sizeOf(root *os.Root, dir string) (int64, error) {
	entries, err := fs.ReadDir(root.FS(), dir)
	var sum int64
	for _, e := range entries {
		if st, err := e.Info(); err == nil && st.Mode().IsRegular() {
			sum += st.Size()
		}
	}
	return sum, err
}
