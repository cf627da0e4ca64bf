package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unitLines returns the settings of the unit: name → values in order.
func unitLines(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("surefoot.service")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(line, "#") {
			out[name] = append(out[name], value)
		}
	}
	return out
}

// localUnit copies the unit with the binary of this test in place of the installed one.
func localUnit(t *testing.T, change func(string) string) string {
	t.Helper()
	b, err := os.ReadFile("surefoot.service")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "surefoot.service")
	text := change(strings.ReplaceAll(string(b), "/usr/bin/surefoot", binary))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnitIsValid(t *testing.T) {
	need(t, "systemd-analyze")
	verify := func(change func(string) string) ([]byte, error) {
		return exec.Command("systemd-analyze", "verify", localUnit(t, change)).CombinedOutput()
	}
	same := func(s string) string { return s }
	if out, err := verify(same); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// The oracle can tell: a misspelt setting is reported.
	out, _ := verify(func(s string) string { return strings.Replace(s, "ProtectSystem=", "ProtectSistem=", 1) })
	if !strings.Contains(string(out), "ProtectSistem") {
		t.Errorf("systemd-analyze verify took a misspelt setting: %s", out)
	}
}

// maxExposure is what systemd-analyze may find at most: 0 is a unit that can do nothing, 10 one
// without any protection. What remains is the network, which is the unit's purpose.
const maxExposure = 2.0

func TestUnitIsHardened(t *testing.T) {
	need(t, "systemd-analyze")
	out := command(t, "systemd-analyze", "security", "--offline=true", "--no-pager", localUnit(t, func(s string) string { return s }))
	m := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no level in the output of systemd-analyze security:\n%s", out)
	}
	level, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	if level > maxExposure {
		t.Errorf("exposure level is %.1f, want at most %.1f\n%s", level, maxExposure, out)
	}
}

// Every setting stands under a comment that gives its reason: the comment begins its group.
func TestUnitSaysWhy(t *testing.T) {
	b, err := os.ReadFile("surefoot.service")
	if err != nil {
		t.Fatal(err)
	}
	explained := false
	for i, line := range strings.Split(string(b), "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
			explained = true
		case line == "", strings.HasPrefix(line, "["):
			explained = false
		case !explained && !slices.Contains([]string{"Description", "Documentation", "WantedBy"}, strings.SplitN(line, "=", 2)[0]):
			t.Errorf("surefoot.service:%d: %s has no reason", i+1, line)
		}
	}
}

func TestUnitGrantsExactlyTwoCapabilities(t *testing.T) {
	unit := unitLines(t)
	want := []string{"CAP_NET_BIND_SERVICE CAP_NET_RAW"}
	for _, name := range []string{"AmbientCapabilities", "CapabilityBoundingSet"} {
		if !slices.Equal(unit[name], want) {
			t.Errorf("%s=%q, want %q", name, unit[name], want)
		}
	}
}
