package efi

import (
	"bytes"
	"debug/pe"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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

// wantVersion skips the test unless one of the programs is there in this version.
func wantVersion(t *testing.T, version string, names ...string) {
	t.Helper()
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.Command(path, "--version").CombinedOutput()
		if err != nil {
			t.Fatalf("%s --version: %v", path, err)
		}
		first, _, _ := strings.Cut(string(out), "\n")
		want(t, strings.Contains(first, version), path+" "+version+" (this is "+first+")")
		return
	}
	want(t, false, strings.Join(names, " or "))
}

func TestCommittedProgramIsUpToDate(t *testing.T) {
	wantVersion(t, "14.0.6", "clang-14", "clang")
	wantVersion(t, "14.0.6", "lld-link-14", "lld-link")
	dir := t.TempDir()
	if out, err := exec.Command("sh", "generate.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("generate.sh: %v\n%s", err, out)
	}
	made, err := os.ReadFile(filepath.Join(dir, "surefoot-bdm.efi"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, Program()) {
		t.Error("surefoot-bdm.efi differs from its sources: run go generate ./internal/bdm/efi")
	}
}

// What firmware looks at before it starts a program, and what makes it small enough for a medium.
func TestProgramIsAnEFIApplication(t *testing.T) {
	f, err := pe.NewFile(bytes.NewReader(Program()))
	if err != nil {
		t.Fatal(err)
	}
	h, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 || h.Subsystem != pe.IMAGE_SUBSYSTEM_EFI_APPLICATION {
		t.Errorf("machine %#x, optional header %T", f.Machine, f.OptionalHeader)
	}
	if f.TimeDateStamp != 0 {
		t.Error("the program says when it was made: its bytes are not the same each time")
	}
	for _, s := range f.Sections {
		const write, execute = 0x80000000, 0x20000000 // of the PE format, "Section Flags"
		if s.Characteristics&write != 0 && s.Characteristics&execute != 0 {
			t.Errorf("section %s may be written and executed: firmware that protects memory refuses it", s.Name)
		}
	}
	if n := len(Program()); n > 26<<10 {
		t.Errorf("%d bytes", n)
	}
}

func TestProgramIsFresh(t *testing.T) {
	clear(Program())
	if !bytes.HasPrefix(Program(), []byte("MZ")) {
		t.Error("a caller's change reached the next caller")
	}
}
