package inbox

import (
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"sync"

	"surefoot/internal/boot"
)

// folder is a Folder with an account of what it holds.
type folder struct {
	Folder
	mu   sync.Mutex // guards the rest
	open int        // uploads under way
	used int64      // bytes of complete files, known while any upload is under way
	more int64      // bytes of those that are not complete
}

func (f *folder) admits(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return len(f.From) == 0 || slices.ContainsFunc(f.From, func(p netip.Prefix) bool { return p.Contains(a) })
}

// enter counts an upload that begins, and refuses one that finds no room.
func (f *folder) enter(dir *os.Root, size int64) *Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == 0 && f.MaxTotal > 0 {
		used, err := sizeOf(dir)
		if err != nil {
			return failed("read the folder "+f.Name, err)
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

// sizeOf adds up the files of a folder, not of those below it.
func sizeOf(dir *os.Root) (int64, error) {
	d, err := dir.Open(".")
	if err != nil {
		return 0, err
	}
	defer d.Close()
	var sum int64
	for {
		entries, err := d.ReadDir(1024)
		for _, e := range entries {
			if st, err := e.Info(); err == nil && st.Mode().IsRegular() { // else it went meanwhile
				sum += st.Size()
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return sum, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return sum, err
		}
	}
}
