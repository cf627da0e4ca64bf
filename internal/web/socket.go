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

// maxPath is the longest path of a unix socket, in bytes (unix(7): 108 with its end).
const maxPath = 107

// listenUnix opens the socket, in place of one that a dead process left. Only its owner and
// group may connect.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("listen unix %s: the path is longer than %d bytes", path, maxPath)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("folder of the API socket: %w", err)
	}
	if err := clearWay(ctx, path); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen unix %s: %w", path, err)
	}
	// Until here the umask had kept others out: connecting takes the right to write.
	if err := os.Chmod(path, 0o660); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("mode of the API socket: %w", err)
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
		return fmt.Errorf("listen unix: %w", err)
	case st.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("listen unix %s: there is a file of that name which is not a socket", path)
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
		return fmt.Errorf("listen unix %s: the socket belongs to another user", path)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &InUseError{Socket: path} // somebody has it and is busy
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the stale API socket: %w", err)
	}
	return nil
}
