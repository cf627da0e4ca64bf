package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/lab"
)

// victim is a TFTP server that may die.
type victim struct {
	s          *stage
	name, addr string
	node       *lab.Node // whose namespace it has
	argv       []string
	cmd        *exec.Cmd
}

func (v *victim) start() error {
	v.cmd = exec.Command(v.argv[0], v.argv[1:]...)
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := v.s.Inside(v.node.Name, v.cmd.Start); err != nil {
		return fmt.Errorf("start %s: %w", v.name, err)
	}
	return nil
}

// kill ends the process without a farewell, and those that it has forked.
func (v *victim) kill() error {
	if err := syscall.Kill(-v.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	_ = v.cmd.Wait()
	return nil
}

// cut and plug are what happens to its cable.
func (v *victim) cut() error  { return v.link("down") }
func (v *victim) plug() error { return v.link("up") }

func (v *victim) link(to string) error {
	if out, err := exec.Command("ip", "-n", v.node.Space, "link", "set", "eth0", to).CombinedOutput(); err != nil {
		return fmt.Errorf("link of %s %s: %w: %s", v.name, to, err, out)
	}
	return nil
}

// steerName is the boot file of these scenarios.
const steerName = "boot.bin"

func steerFile(t *testing.T, root string) {
	t.Helper()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, steerName), steerContent(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func steerContent() []byte {
	return []byte(strings.Repeat("what every machine has to get whole\n", 1000))
}

// table is what was measured.
type table struct {
	mu   sync.Mutex // guards rows
	rows []row
}

type row struct {
	what, delivery, end string
	took                []time.Duration
}

func (t *table) add(what, delivery, end string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.rows, func(r row) bool { return r.what == what && r.delivery == delivery && r.end == end })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, row{what: what, delivery: delivery, end: end})
	}
	t.rows[i].took = append(t.rows[i].took, took)
}

// bound is within what time, in the median, docs/watch.md promises it.
func (r row) bound() time.Duration {
	switch {
	case r.what == "drained" || r.what == "resumed":
		return time.Second // at once; a resolver's poll and ours come on top
	case r.end == "gone" || r.end == "all named":
		return boundDown
	}
	return boundUp
}

// print shows the table, and fails the test where a median is above its bound.
func (t *table) print(test *testing.T) {
	test.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "RESULT %-15s %-10s %-12s %7s %7s %7s\n", "what happens", "it is", "in the", "median", "longest", "bound")
	slices.SortFunc(t.rows, func(a, b row) int {
		return cmp.Or(-strings.Compare(a.what, b.what), -strings.Compare(a.end, b.end), strings.Compare(a.delivery, b.delivery))
	})
	for _, r := range t.rows {
		slices.Sort(r.took)
		median := r.took[len(r.took)/2]
		fmt.Fprintf(&b, "RESULT %-15s %-10s %-12s %5.1f s %5.1f s %5.1f s (%d)\n", r.what, r.end, r.delivery,
			median.Seconds(), r.took[len(r.took)-1].Seconds(), r.bound().Seconds(), len(r.took))
		if median >= r.bound() {
			test.Errorf("%s: %s in the %s after %s in the median, want less than %s", r.what, r.end, r.delivery, median, r.bound())
		}
	}
	test.Logf("\n%s", b.String())
}
