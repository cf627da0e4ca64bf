package testboot

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"surefoot/internal/boot"
)

// want skips the test, or fails it where the oracles are required, unless ok.
func want(t *testing.T, ok bool, what string) {
	t.Helper()
	switch {
	case ok:
	case os.Getenv("SUREFOOT_TEST_REQUIRE") != "":
		t.Fatalf("%s is needed", what)
	default:
		t.Skipf("%s is needed", what)
	}
}

// wantProgram returns the first of the programs that is installed.
func wantProgram(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	want(t, false, strings.Join(names, " or "))
	return ""
}

func wantVersion(t *testing.T, program, version string) {
	t.Helper()
	out, err := exec.Command(program, "--version").CombinedOutput()
	if err != nil {
		t.Fatalf("%s --version: %v", program, err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	want(t, strings.Contains(first, version), program+" "+version+" (this is "+first+")")
}

func TestCommittedProgramsAreUpToDate(t *testing.T) {
	wantVersion(t, wantProgram(t, "nasm"), "2.16.01")
	wantVersion(t, wantProgram(t, "clang-14", "clang"), "14.0.6")
	wantVersion(t, wantProgram(t, "lld-link-14", "lld-link"), "14.0.6")
	dir := t.TempDir()
	if out, err := exec.Command("sh", "generate.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("generate.sh: %v\n%s", err, out)
	}
	for name, committed := range map[string]string{
		boot.TestBootstrapBIOS: biosProgram,
		boot.TestBootstrapX64:  x64Program,
	} {
		made, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(made, []byte(committed)) {
			t.Errorf("%s differs from its sources: run go generate ./internal/testboot", name)
		}
	}
}
