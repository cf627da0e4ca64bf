package inbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
)

// Error is an upload that is refused, or that failed, with its reason.
type Error struct {
	Reason boot.Reason
	Text   string
}

func (e *Error) Error() string { return e.Text }

func refuse(why boot.Reason, format string, args ...any) *Error {
	return &Error{Reason: why, Text: fmt.Sprintf(format, args...)}
}

// failed sorts an error of the system into a reason.
func failed(what string, err error) *Error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return refuse(boot.UploadFull, "%s: %v", what, cause(err))
	case errors.Is(err, unix.EFBIG):
		return refuse(boot.UploadTooLarge, "%s: %v (a limit of the file system or of the process)", what, cause(err))
	}
	return refuse(boot.WriteFailed, "%s: %s", what, plain(err))
}

// plain says an error of the system with its usual cause.
func plain(err error) string {
	switch {
	case errors.Is(err, unix.EROFS):
		return "the file system is read-only for this service (systemd: ReadWritePaths=)"
	case errors.Is(err, fs.ErrPermission):
		return "the user that serves may not write there"
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such folder"
	}
	return cause(err).Error()
}

// cause strips the wrapping whose text repeats operation and path.
func cause(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	}
	return err
}
