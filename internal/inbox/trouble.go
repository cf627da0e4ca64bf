package inbox

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// TroubleError is an upload folder that cannot take files now, with the remedy.
type TroubleError struct {
	Folder string // below the root
	dir    string
	err    error
}

func (e *TroubleError) Error() string {
	return fmt.Sprintf("the upload folder %s takes no files: %s", path.Join(e.dir, e.Folder), plain(e.err))
}

func (e *TroubleError) Unwrap() error { return e.err }

// Hint says what to do about it.
func (e *TroubleError) Hint() []string {
	at := path.Join(e.dir, e.Folder)
	if abs, err := filepath.Abs(at); err == nil {
		at = abs
	}
	return []string{"create the folder and let the user that serves write to it, under systemd with ReadWritePaths=-" + at + " (docs/tftp.md, Uploads)"}
}

// Troubles says which folders cannot take files now, and why. It writes nothing.
func (b *Inbox) Troubles() []*TroubleError {
	var out []*TroubleError
	for _, f := range b.folders {
		if e := Check(b.root, f.Name); e != nil {
			out = append(out, e)
		}
	}
	return out
}

// Check says what is wrong with a folder of a root for the user that asks, nil if nothing. It
// writes nothing.
func Check(root *os.Root, name string) *TroubleError {
	if err := writable(root, name); err != nil {
		return &TroubleError{Folder: name, dir: root.Name(), err: err}
	}
	return nil
}

// writable asks the kernel, which knows of read-only mounts, too (access(2)).
func writable(root *os.Root, name string) error {
	dir, err := root.OpenRoot(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Faccessat(int(d.Fd()), ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}
