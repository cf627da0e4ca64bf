package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// EditTable changes a file of reservations: edit is told what is in it, nothing if it is not there, and
// returns what is to be, or nil to leave it alone. The file is replaced as a whole, with its mode and
// owner, and two commands that change it at the same time wait for each other.
func EditTable(path string, edit func([]byte) ([]byte, error)) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link stays one
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", dir.Name(), err)
	}
	was, err := ReadTable(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	is, err := edit(was)
	if err != nil || is == nil {
		return err
	}
	return replace(dir, path, is)
}

func replace(dir *os.File, path string, data []byte) error {
	tmp, err := os.CreateTemp(dir.Name(), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // without an effect once it has its name
	mode := fs.FileMode(0o644)
	if st, err := os.Stat(path); err == nil {
		mode = st.Mode().Perm()
		if own, ok := st.Sys().(*syscall.Stat_t); ok {
			_ = tmp.Chown(int(own.Uid), int(own.Gid)) // who may not, owns it already
		}
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return dir.Sync()
}
