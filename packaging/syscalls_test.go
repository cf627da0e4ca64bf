package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestUnitAllowsTheSystemCalls traces a serving binary and looks up each system call that it
// makes in the unit's filter. Only systemd itself installs the filter, and tests run without it.
func TestUnitAllowsTheSystemCalls(t *testing.T) {
	need(t, "systemd-analyze")
	curl := need(t, "curl")
	strace := need(t, "strace")
	s := newSite(t)
	dir, _ := workplace(t)
	trace := filepath.Join(dir, "trace")
	history := filepath.Join(dir, "state", "history.db")
	t.Setenv("STATE_DIRECTORY", filepath.Dir(history)) // as systemd does: the history is written too
	args := append([]string{strace, "-D", "-f", "-qq", "-o", trace, "-e", "signal=none", binary}, serveArgs(dir)...)
	d := start(t, dir, in(s.node, args...))
	if out, err := in(s.client, curl, "-sS", "--max-time", "20", "-o", filepath.Join(dir, "got"), "tftp://"+nodeAddr+"/ARDBP32.BIN").CombinedOutput(); err != nil {
		t.Errorf("curl: %v\n%s", err, out)
	}
	discover(t, s.client)
	d.stop(t) // with -D the process that we started is surefoot itself

	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	_, afterExec, ok := strings.Cut(string(b), "\n") // the first line is strace's own execve
	if !ok {
		t.Fatal("strace wrote nothing")
	}
	allowed := allowedCalls(t)
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\d+ +([a-z0-9_]+)\(`).FindAllStringSubmatch(afterExec, -1) {
		call := m[1]
		if call == "fchown" {
			continue // SQLite's, and only as root, as this test is; it goes on without it
		}
		if !seen[call] && !allowed[call] {
			t.Errorf("surefoot calls %s, which the unit's SystemCallFilter refuses", call)
		}
		seen[call] = true
	}
	if st, err := os.Stat(history); err != nil || st.Size() == 0 || !seen["fsync"] && !seen["fdatasync"] {
		t.Errorf("no history was written: %v", err)
	}
	if !seen["socket"] || !seen["sendto"] && !seen["sendmsg"] && !seen["sendmmsg"] {
		t.Errorf("the trace misses the obvious: %d different calls", len(seen))
	}
}

// allowedCalls evaluates the SystemCallFilter lines of the unit, with systemd's own lists.
func allowedCalls(t *testing.T) map[string]bool {
	t.Helper()
	allowed := map[string]bool{}
	for _, value := range unitLines(t)["SystemCallFilter"] {
		value, deny := strings.CutPrefix(value, "~")
		for _, item := range strings.Fields(value) {
			for _, call := range expand(t, item, nil) {
				if deny {
					delete(allowed, call)
				} else {
					allowed[call] = true
				}
			}
		}
	}
	// What systemd always lets through (systemd.exec(5), SystemCallFilter=).
	for _, call := range []string{"execve", "exit", "exit_group", "getrlimit", "rt_sigreturn", "sigreturn"} {
		allowed[call] = true
	}
	return allowed
}

// expand returns the calls of a set such as @system-service, or the call itself.
func expand(t *testing.T, item string, within []string) []string {
	t.Helper()
	if !strings.HasPrefix(item, "@") || slices.Contains(within, item) {
		return []string{item}
	}
	var out []string
	for line := range strings.Lines(command(t, "systemd-analyze", "syscall-filter", "--no-pager", item)) {
		line = strings.TrimSpace(line)
		if line == "" || line == item || strings.HasPrefix(line, "#") {
			continue
		}
		out = append(out, expand(t, line, append(within, item))...)
	}
	return out
}
