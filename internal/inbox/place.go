package inbox

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// place gives a complete file its name, in one step. What has the name already is replaced or
// stays, then with fs.ErrExist: the kernel decides, so nobody comes in between.
func place(dir *os.Root, temp, base string, overwrite bool) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	if overwrite {
		err = dir.Rename(temp, base)
	} else {
		err = unix.Renameat2(int(d.Fd()), temp, int(d.Fd()), base, unix.RENAME_NOREPLACE)
		if refusesNoReplace(err) {
			err = link(dir, temp, base)
		}
	}
	if err != nil {
		return err
	}
	// The name is to last, too. Some file systems cannot say so of a folder; the content does.
	_ = d.Sync()
	return nil
}

// link is for file systems without RENAME_NOREPLACE, such as NFS. It never replaces anything
// either, and has two names for a moment.
func link(dir *os.Root, temp, base string) error {
	if err := dir.Link(temp, base); err != nil {
		return err
	}
	_ = dir.Remove(temp)
	return nil
}

// refusesNoReplace recognises a file system or a kernel that does not know the flag (renameat2(2)).
func refusesNoReplace(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP)
}
