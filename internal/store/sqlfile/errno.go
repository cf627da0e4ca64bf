package sqlfile

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// NoRoom reports whether a system call met a full disk.
func NoRoom(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// NoWrites reports whether a system call met something that must not be written.
func NoWrites(err error) bool { return errors.Is(err, unix.EROFS) || errors.Is(err, fs.ErrPermission) }
