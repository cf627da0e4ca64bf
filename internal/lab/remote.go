package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// KillNode ends a node of a lab that another process runs, at once and without a farewell, as a
// power failure would.
func (s *State) KillNode(name string) error {
	var names []string
	for _, n := range s.Nodes {
		if n.Name != name {
			names = append(names, n.Name)
			continue
		}
		if !n.Process.Alive() {
			return fmt.Errorf("node %s does not run", name)
		}
		if err := syscall.Kill(n.Process.PID, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill node %s (pid %d): %w", name, n.Process.PID, err)
		}
		return nil
	}
	return fmt.Errorf("the lab has no node %q (it has %s)", name, strings.Join(names, ", "))
}

// TakeDown ends a lab that another process runs, by asking that process, and waits until the lab
// is gone. A lab whose owner is dead is removed.
func (s *State) TakeDown(ctx context.Context) error {
	if !s.Owner.Alive() {
		return s.remove(ctx)
	}
	if err := syscall.Kill(s.Owner.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ask process %d to take lab %s down: %w", s.Owner.PID, s.ID, err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(s.Dir); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if !s.Owner.Alive() {
			return s.remove(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("lab %s is still there: %w", s.ID, ctx.Err())
		}
	}
}
