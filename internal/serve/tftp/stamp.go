package tftp

import (
	"io/fs"
	"syscall"

	"surefoot/internal/files"
)

// stamp tells versions of a file apart. The time of the last change (ctime) is the kernel's own:
// it moves even when somebody sets the file's time back.
type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // in nanoseconds since 1970
}

// stampOf reads an open file's stamp. A built-in file has none: it is in memory anyway.
func stampOf(f *files.File) (stamp, bool) {
	st, ok := f.ReaderAt.(interface{ Stat() (fs.FileInfo, error) })
	if !ok {
		return stamp{}, false
	}
	fi, err := st.Stat()
	if err != nil {
		return stamp{}, false
	}
	s, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{}, false
	}
	return stamp{s.Dev, s.Ino, s.Size, s.Mtim.Nano(), s.Ctim.Nano()}, true
}
