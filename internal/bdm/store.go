package bdm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ExistsError says that a file would be overwritten.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string { return fmt.Sprintf("%s exists", e.Path) }

// Hint says how to do it all the same.
func (e *ExistsError) Hint() []string {
	return []string{"--force overwrites it, or give another name with -o"}
}

// Save writes a file whole or not at all: under another name, which it then takes away.
func Save(path string, data []byte, force bool) (err error) {
	if st, err := os.Lstat(path); err == nil {
		if !force {
			return &ExistsError{path}
		}
		if !st.Mode().IsRegular() {
			return fmt.Errorf("%s is no regular file: surefoot bdm write writes to devices", path)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return err
	}
	if force {
		return os.Rename(f.Name(), path)
	}
	if err = os.Link(f.Name(), path); err == nil || errors.Is(err, fs.ErrExist) { // never over a file that came meanwhile
		_ = os.Remove(f.Name())
		return err
	}
	return os.Rename(f.Name(), path) // a file system without links
}
