package sqlfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MoveAside renames the file and what belongs to it, and removes those that were moved before, so
// that broken files do not fill the disk.
func (f File) MoveAside(stamp string) (string, error) {
	if err := f.removeAsides(); err != nil {
		return "", err
	}
	aside := f.Path + ".broken-" + stamp
	for _, tail := range []string{"-wal", "-shm"} {
		if err := os.Rename(f.Path+tail, aside+tail); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, os.Rename(f.Path, aside)
}

// SetAside gives the file a second name, and leaves the first to be replaced: at no moment is
// there none. What belongs to the file is renamed. Those that were set aside before are removed.
func (f File) SetAside(stamp string) (string, error) {
	if err := f.removeAsides(); err != nil {
		return "", err
	}
	aside := f.Path + ".broken-" + stamp
	if err := os.Link(f.Path, aside); err != nil {
		return "", err
	}
	if err := os.Rename(f.Path+"-wal", aside+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return aside, nil
}

func (f File) removeAsides() error {
	old, err := filepath.Glob(globEscape(f.Path) + ".broken-*")
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("remove an older broken %s: %w", f.Name, err)
		}
	}
	return nil
}

func globEscape(s string) string {
	return strings.NewReplacer("\\", "\\\\", "*", "\\*", "?", "\\?", "[", "\\[").Replace(s)
}
