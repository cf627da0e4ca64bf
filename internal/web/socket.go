package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// InUseError says that another Surefoot answers on the socket.
type InUseError struct {
	Socket string
	Node   string // the other one's name; "" if it does not say
}

func (e *InUseError) Error() string {
	who := "another program"
	if e.Node != "" {
		who = fmt.Sprintf("another surefoot (node %s)", e.Node)
	}
	return fmt.Sprintf("listen unix %s: %s answers there", e.Socket, who)
}

// Hint says how to get on.
func (e *InUseError) Hint() []string {
	return []string{"stop the other one (systemctl stop surefoot), or give this one a socket of its own: --socket PATH"}
}

// SocketError says why the API socket cannot be opened.
type SocketError struct {
	Socket string
	Err    error
}

func (e *SocketError) Error() string {
	err := e.Err
	var op *net.OpError
	var pe *fs.PathError
	if errors.As(err, &op) || errors.As(err, &pe) { // both say operation and path again
		for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
			err = inner
		}
	}
	return fmt.Sprintf("listen unix %s: %v", e.Socket, err)
}

// Unwrap returns the cause.
func (e *SocketError) Unwrap() error { return e.Err }

// Hint says how to get on.
func (e *SocketError) Hint() []string {
	if errors.Is(e.Err, fs.ErrPermission) {
		return []string{"run it as root, or name a place that this user may write to: --socket PATH"}
	}
	return []string{"name another place: --socket PATH"}
}

// maxPath is the longest path of a unix socket, in bytes (unix(7): 108 with its end).
const maxPath = 107

// listenUnix opens the socket, in place of one that a dead process left. Only its owner and
// group may connect.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, &SocketError{path, fmt.Errorf("the path is longer than %d bytes", maxPath)}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, &SocketError{path, fmt.Errorf("make its folder: %w", err)}
	}
	if err := clearWay(ctx, path); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, &SocketError{path, err}
	}
	// Until here the umask had kept others out: connecting takes the right to write.
	if err := os.Chmod(path, 0o660); err != nil {
		_ = l.Close()
		return nil, &SocketError{path, err}
	}
	return l, nil
}

// clearWay removes a socket on which nobody answers. Anything else stays where it is.
func clearWay(ctx context.Context, path string) error {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &SocketError{path, err}
	case st.Mode()&fs.ModeSocket == 0:
		return &SocketError{path, errors.New("there is a file of that name which is not a socket")}
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = c.Close()
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		other, _ := Dial(path).Status(ctx) // whoever it is, it is in use
		return &InUseError{Socket: path, Node: other.Node}
	case errors.Is(err, fs.ErrPermission):
		return &SocketError{path, fmt.Errorf("the socket of another user is there: %w", fs.ErrPermission)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &InUseError{Socket: path} // somebody has it and is busy
	}
	if err := os.Remove(path); err != nil {
		return &SocketError{path, err}
	}
	return nil
}
