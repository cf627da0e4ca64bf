package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// makeTree makes a directory with the files, each holding its own name, and one file outside of it.
func makeTree(t testing.TB, names ...string) string {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "root")
	for _, n := range names {
		p := filepath.Join(dir, filepath.FromSlash(n))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(top, "secret"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t testing.TB, dir string, o Options) *Root {
	t.Helper()
	r, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// content reads a file found by name, or returns the error in words.
func content(t testing.TB, r *Root, name string) string {
	t.Helper()
	f, err := r.Open(name)
	if err != nil {
		return "error: " + err.Error()
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	if int64(len(b)) != f.Size() {
		t.Errorf("%s: %d bytes of %d", name, len(b), f.Size())
	}
	if !r.Has(name) {
		t.Errorf("Has(%q) is false, yet Open finds it", name)
	}
	return string(b)
}

func TestNames(t *testing.T) {
	dir := makeTree(t, "ARDBP32.BIN", "efi/boot/grubx64.efi", "both", "Both", "sub/Ünï", `with\backslash`, "a\xff", "a\xfe")
	builtin := map[string][]byte{"surefoot-test.0": []byte("builtin"), "both": []byte("wrong")}
	fold := open(t, dir, Options{Fold: true, Builtin: builtin})
	exact := open(t, dir, Options{Builtin: builtin})
	const absent = "error: no such file"
	tests := []struct{ name, folded, unfolded string }{
		{"ARDBP32.BIN", "ARDBP32.BIN", "ARDBP32.BIN"},
		{"/ARDBP32.BIN", "ARDBP32.BIN", "ARDBP32.BIN"},
		{"//ARDBP32.BIN", "ARDBP32.BIN", "ARDBP32.BIN"},
		{"./ARDBP32.BIN", "ARDBP32.BIN", "ARDBP32.BIN"},
		{"ardbp32.bin", "ARDBP32.BIN", absent},
		{`\ardbp32.bin`, "ARDBP32.BIN", absent},
		{`.\ARDBP32.BIN`, "ARDBP32.BIN", absent},
		{`EFI\BOOT\GRUBX64.EFI`, "efi/boot/grubx64.efi", absent},
		{`/efi//boot/./grubx64.efi`, "efi/boot/grubx64.efi", "efi/boot/grubx64.efi"},
		{`efi/boot/../boot/grubx64.efi`, "efi/boot/grubx64.efi", "efi/boot/grubx64.efi"},
		{"both", "both", "both"},
		{"Both", "Both", "Both"},
		{"BOTH", "Both", absent},
		{"SUB/ÜNÏ", "sub/Ünï", absent},
		{`with\backslash`, `with\backslash`, `with\backslash`},
		{"A\xff", "a\xff", absent},
		{"surefoot-test.0", "builtin", "builtin"},
		{"/SUREFOOT-TEST.0", "builtin", absent},
		{"nothing", absent, absent},
		{"ARDBP32.BIN/x", absent, absent},
		{"x\x00y", absent, absent},
		{strings.Repeat("x", 300), absent, absent},
		{strings.Repeat("x/", 3000), absent, absent},
		{"../secret", "error: open \"../secret\": leads out", "error: open \"../secret\": leads out"},
		{"/../secret", "error: open \"../secret\": leads out", "error: open \"../secret\": leads out"},
		{"efi/../../secret", "error: open \"efi/../../secret\": leads out", "error: open"},
		{`..\secret`, "error: open \"..\\\\secret\": leads out", absent},
		{"", "error: open \"\": not a regular file", "error: open \"\": not a regular file"},
		{"/", "error: open \"\": not a regular file", "error: open \"\": not a regular file"},
		{"efi", "error: open \"efi\": not a regular file", "error: open \"efi\": not a regular file"},
		{"EFI", "error: open \"efi\": not a regular file", absent},
	}
	for _, tt := range tests {
		if got := content(t, fold, tt.name); !strings.HasPrefix(got, tt.folded) {
			t.Errorf("folded %q = %s, want %s", tt.name, got, tt.folded)
		}
		if got := content(t, exact, tt.name); !strings.HasPrefix(got, tt.unfolded) {
			t.Errorf("exact %q = %s, want %s", tt.name, got, tt.unfolded)
		}
	}
}

func TestBuiltinOnly(t *testing.T) {
	r := open(t, "", Options{Fold: true, Builtin: map[string][]byte{"a": []byte("A")}})
	if got := content(t, r, "/A"); got != "A" {
		t.Errorf("got %s", got)
	}
	if _, err := r.Open("b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("b: %v", err)
	}
}

func TestOpenRootErrors(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "nowhere"), Options{})
	var h interface{ Hint() []string }
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &h) || len(h.Hint()) != 1 {
		t.Errorf("a missing root: %v", err)
	}
}

// Nothing but regular files is opened, and nothing hangs (F32; TFTP check 69: four servers of
// five hang on a pipe).
func TestKinds(t *testing.T) {
	dir := makeTree(t, "real", "sub/x")
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("real", "inside")
	link("sub", "dirlink")
	link("../secret", "outside")
	link(filepath.Join(dir, "real"), "absolute")
	link("nowhere", "dangling")
	link("loop", "loop")
	link("..", "up")
	link("/dev/null", "device")
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := open(t, dir, Options{Fold: true})
	want := map[string]error{
		"inside": nil, "dirlink/x": nil, "DIRLINK/X": nil,
		"outside": ErrOutside, "absolute": ErrOutside, "up/secret": ErrOutside, "device": ErrOutside, "OUTSIDE": ErrOutside,
		"dangling": fs.ErrNotExist, "loop": unix.ELOOP,
		"pipe": ErrNotAFile, "PIPE": ErrNotAFile, "socket": ErrNotAFile, "sub": ErrNotAFile, ".": ErrNotAFile,
	}
	for name, wantErr := range want {
		done := make(chan error, 1)
		go func() {
			f, err := r.Open(name)
			if f != nil {
				_ = f.Close()
			}
			done <- err
		}()
		select {
		case err := <-done:
			if !errors.Is(err, wantErr) {
				t.Errorf("%s: %v, want %v", name, err, wantErr)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s hangs", name)
		}
	}
}

func TestPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads every file")
	}
	dir := makeTree(t, "closed")
	if err := os.Chmod(filepath.Join(dir, "closed"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir, Options{Fold: true}).Open("closed"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("closed: %v", err)
	}
}

func TestNear(t *testing.T) {
	dir := makeTree(t, "ARDBP32.BIN", "efi/snponly.efi", "efi/ipxe.efi", "efi/shimx64.efi", "other/grubx64.efi", "pxelinux.0")
	f := func(fold bool, name string, want ...string) {
		t.Helper()
		r := open(t, dir, Options{Fold: fold, Builtin: map[string][]byte{"surefoot-test.efi": nil}})
		_, err := r.Open(name)
		var nf *NotFoundError
		if !errors.As(err, &nf) {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(nf.Near, want) {
			t.Errorf("near %s = %q, want %q", name, nf.Near, want)
		}
		if !strings.Contains(err.Error(), strings.Join(want, ", ")) {
			t.Errorf("%v does not name them", err)
		}
	}
	f(true, "ARDPB32.BIN", "ARDBP32.BIN")
	f(false, "ardbp32.bin", "ARDBP32.BIN")
	f(true, `\ARDBP3.BIN`, "ARDBP32.BIN")
	f(true, "snponly.efi", "efi/snponly.efi", "surefoot-test.efi")
	f(true, "efi/grubx64.efi", "other/grubx64.efi", "efi/ipxe.efi", "efi/shimx64.efi")
	f(true, "wdsnbp.com")
}

// A name becomes known as soon as it exists, whether or not its directory was listed before.
func TestFoldSeesChanges(t *testing.T) {
	dir := makeTree(t, "first")
	r := open(t, dir, Options{Fold: true})
	old := time.Now().Add(-time.Hour)
	for i, name := range []string{"One", "Two", "Three"} {
		upper := strings.ToUpper(name)
		if r.Has(upper) {
			t.Fatalf("%s exists already", upper)
		}
		if i == 2 { // a settled directory is kept: it is the change of its time that counts
			if err := os.Chtimes(dir, old, old); err != nil {
				t.Fatal(err)
			}
			if r.Has(upper) {
				t.Fatalf("%s exists already", upper)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := content(t, r, upper); got != name {
			t.Errorf("%s = %s", upper, got)
		}
	}
}

func TestLargeDirectory(t *testing.T) {
	dir := makeTree(t, "big/f")
	for i := range 20_000 {
		f, err := os.Create(filepath.Join(dir, "big", fmt.Sprintf("File%06d", i)))
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "big"), old, old); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir, Options{Fold: true})
	start := time.Now()
	for i := range 1000 {
		if !r.Has(fmt.Sprintf("BIG/FILE%06d", i*20)) {
			t.Fatalf("file %d not found", i)
		}
		if _, err := r.Open(fmt.Sprintf("big/absent-%d", i)); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("absent: %v", err)
		}
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("2000 look-ups took %v: the listing is read each time", d)
	}
	if n := len(r.top.indexed()); n > maxIndexed {
		t.Errorf("%d names indexed", n)
	}
	if r.top.cache.names < 20_000 || r.top.cache.names > maxCached {
		t.Errorf("%d names cached", r.top.cache.names)
	}
}
