package e2e

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lab"
)

func operateScenarios() []scenario {
	return []scenario{
		{"file-missing", fileMissing},
		{"reload", reload},
		{"drain", drain},
	}
}

// A rule names a file that is not there: the story says who asked for what, and what is there.
func fileMissing(t *testing.T, b *bench) {
	root := t.TempDir()
	for _, name := range []string{"ARDBP32.BAK", "ARDBP33.BIN", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("not it"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := b.raise(t, lab.Options{Nodes: 1, Site: site{root: root, rules: "  - {name: pvs, file: ARDBP32.BIN, ipxe: file}\n"}.text(1)})
	vm, err := s.Boot(s.ctx, lab.Machine{Firmware: lab.BIOS})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vm.Console.Expect(s.ctx, regexp.MustCompile(`tftp://`+regexp.QuoteMeta(n1)+`/ARDBP32\.BIN`), regexp.MustCompile(`No bootable device`)); err != nil {
		t.Fatal(err)
	}
	st := s.story("n1", vm.MAC)
	if st.State != "stuck" || st.Reason != boot.FileMissing {
		t.Errorf("state %q, reason %q, want stuck, file-missing", st.State, st.Reason)
	}
	want(t, "the story", st.Where, "ARDBP32.BIN", "ARDBP33.BIN")
	text, _, _ := s.run("story", vm.MAC.String(), "--socket", s.Node("n1").Socket)
	want(t, "surefoot story", text, vm.MAC.String(), "ARDBP32.BIN", "ARDBP33.BIN")
	t.Logf("surefoot story %s:\n%s", vm.MAC, text)
	if strings.Contains(text, "notes.txt") {
		t.Errorf("notes.txt is not near ARDBP32.BIN:\n%s", text)
	}
}

// A changed site file takes effect by reload; a broken one is refused, and machines go on to boot.
func reload(t *testing.T, b *bench) {
	rules := func(name string) string {
		return site{rules: "  - {name: " + name + ", file: surefoot-test, ipxe: file}\n"}.text(1)
	}
	s := b.raise(t, lab.Options{Nodes: 1, Site: rules("before")})
	n := s.Node("n1")
	bootsBy := func(rule string) {
		t.Helper()
		_, vm := s.boot(lab.Machine{Firmware: lab.BIOS})
		if st := s.delivered("n1", vm.MAC); st.Rule != rule {
			t.Errorf("booted by rule %q, want %s", st.Rule, rule)
		}
	}
	bootsBy("before")
	write := func(text string) {
		t.Helper()
		if err := n.WriteSite(text); err != nil {
			t.Fatal(err)
		}
	}
	write(rules("after"))
	if out, errs, code := s.run("reload", "--socket", n.Socket); code != 0 {
		t.Fatalf("reload: exit code %d: %s%s", code, out, errs)
	}
	bootsBy("after")
	write(strings.Replace(rules("broken"), "file:", "fiel:", 1))
	out, errs, code := s.run("reload", "--socket", n.Socket)
	if code == 0 {
		t.Error("a broken site file was taken")
	}
	want(t, "reload of a broken file", out+errs, "fiel", "n1.yaml:")
	bootsBy("after")
	status, _, _ := s.run("status", "--socket", n.Socket)
	want(t, "status after a refused reload", status, "fiel")
	// The signal does the same as the command.
	write(rules("by-signal"))
	if err := n.Process().Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := n.AwaitReady(s.ctx); err != nil {
		t.Fatal(err)
	}
	bootsBy("by-signal")
}

// SIGTERM during a transfer finishes that transfer, begins no other, and ends the node well.
func drain(t *testing.T, b *bench) {
	root := t.TempDir()
	content := make([]byte, 200*1024+17)
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	if err := os.WriteFile(filepath.Join(root, "large.bin"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	s := b.raise(t, lab.Options{Nodes: 1, Site: site{root: root}.text(1)})
	n := s.Node("n1")
	d := s.download(n, "large.bin")
	got := d.blocks(t, 10)
	if err := n.Process().Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.awaitLog(n, "draining")
	late := s.download(n, "large.bin")
	if late.answered(300 * time.Millisecond) {
		t.Error("a draining node began a new transfer")
	}
	if !n.Process().Running() {
		t.Fatal("the node ended although a transfer was running")
	}
	got = append(got, d.blocks(t, 1<<20)...)
	if !bytes.Equal(got, content) {
		t.Errorf("%d bytes arrived, want %d, the same", len(got), len(content))
	}
	select {
	case <-n.Process().Done():
		if code := n.Process().ExitCode(); code != 0 {
			t.Errorf("the node ended with exit code %d, want 0", code)
		}
	case <-time.After(5 * time.Second):
		t.Error("the node still runs 5 s after its last transfer")
	}
}
