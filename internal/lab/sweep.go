package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// Sweep removes what labs left behind whose owner is dead: their processes, namespaces and
// folders. Labs that live, and namespaces that no lab's state names, are not touched. It returns
// the ids of the labs that it removed.
func Sweep(ctx context.Context, dir string) ([]string, error) {
	labs, err := List(dir)
	if err != nil {
		return nil, err
	}
	var gone []string
	var errs []error
	for _, s := range labs {
		if s.Owner.Alive() {
			continue
		}
		if err := s.remove(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		gone = append(gone, s.ID)
	}
	return gone, errors.Join(errs...)
}

// remove ends every process in the lab's namespaces, by its number, and deletes the namespaces
// and the folder. What is gone already is fine.
func (s *State) remove(ctx context.Context) error {
	var errs []error
	for i := len(s.Spaces) - 1; i >= 0; i-- {
		ns := s.Spaces[i]
		if _, err := os.Stat(netnsDir + ns); err != nil {
			continue
		}
		for _, pid := range pidsIn(ctx, ns) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				errs = append(errs, fmt.Errorf("kill process %d of namespace %s: %w", pid, ns, err))
			}
		}
		if err := ip(ctx, "", "netns del "+ns+"\n"); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		if err := os.RemoveAll(s.Dir); err != nil {
			errs = append(errs, fmt.Errorf("folder of lab %s: %w", s.ID, err))
		}
	}
	return errors.Join(errs...)
}

// pidsIn lists the processes in a namespace, without this one: its threads may be in there.
func pidsIn(ctx context.Context, ns string) []int {
	path, err := lookPath(ipProgram)
	if err != nil {
		return nil
	}
	out, err := exec.CommandContext(ctx, path, "netns", "pids", ns).Output()
	if err != nil {
		return nil
	}
	var pids []int
	for _, f := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(f); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}
