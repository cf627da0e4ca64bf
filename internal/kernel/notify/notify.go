// Package notify tells systemd how the service is doing (sd_notify(3)): READY, RELOADING,
// STOPPING, a status line. Without NOTIFY_SOCKET every call does nothing.
package notify

import (
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier sends to the socket that systemd named. The zero value is silent.
type Notifier struct{ socket string }

// New takes the value of NOTIFY_SOCKET.
func New(socket string) Notifier { return Notifier{socket: socket} }

// Ready says that start-up or a reload is done.
func (n Notifier) Ready(status string) error { return n.send("READY=1", "STATUS="+status) }

// Reloading says that the configuration is being read again; Ready must follow. systemd wants
// the monotonic time with it (Type=notify-reload).
func (n Notifier) Reloading() error {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return fmt.Errorf("monotonic clock: %w", err)
	}
	return n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", ts.Nano()/1000))
}

// Stopping says that the service drains.
func (n Notifier) Stopping(status string) error { return n.send("STOPPING=1", "STATUS="+status) }

// Status sets the line that systemctl status shows.
func (n Notifier) Status(status string) error { return n.send("STATUS=" + status) }

func (n Notifier) send(lines ...string) error {
	if n.socket == "" {
		return nil
	}
	name := n.socket
	if rest, ok := strings.CutPrefix(name, "@"); ok {
		name = "\x00" + rest // the abstract namespace
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify systemd at %s: %w", n.socket, err)
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // a full queue there must not stop a reload
	if _, err := c.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		return fmt.Errorf("notify systemd at %s: %w", n.socket, err)
	}
	return nil
}
