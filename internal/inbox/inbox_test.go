package inbox

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/files"
)

var pc = netip.MustParseAddr("10.10.0.90")

func open(t *testing.T, folders ...Folder) (*Inbox, string) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range folders {
		if err := os.MkdirAll(filepath.Join(dir, f.Name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b, err := Open(dir, folders)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b, dir
}

// put uploads a file whole.
func put(b *Inbox, name, content string, size int64) error {
	f, err := b.Create(name, pc, size)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write([]byte(content)); err != nil {
		return err
	}
	return f.Commit()
}

func reason(err error) boot.Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// names lists a folder; incomplete files would show.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func TestCreateOnly(t *testing.T) {
	b, dir := open(t, Folder{Name: "crash"})
	for _, name := range []string{"crash/a", "/crash/b", `crash\c`, "./crash//d"} {
		if err := put(b, name, "one", -1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := put(b, "crash/a", "two", -1); reason(err) != boot.UploadExists {
		t.Errorf("the same again: %v", err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "crash/a")); string(got) != "one" {
		t.Errorf("the file holds %q", got)
	}
	if got := names(t, filepath.Join(dir, "crash")); got != "a b c d" {
		t.Errorf("the folder holds %s", got)
	}
}

// Two that upload the same name at once: the first to be complete has it, the other is told.
func TestCreateOnlyRace(t *testing.T) {
	b, dir := open(t, Folder{Name: "crash"})
	one, err := b.Create("crash/a", pc, -1)
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.Create("crash/a", pc, -1)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = one.Write([]byte("one"))
	_, _ = two.Write([]byte("two"))
	if err := two.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := one.Commit(); reason(err) != boot.UploadExists {
		t.Errorf("%v", err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "crash/a")); string(got) != "two" {
		t.Errorf("the file holds %q", got)
	}
	if got := names(t, filepath.Join(dir, "crash")); got != "a" {
		t.Errorf("the folder holds %s", got)
	}
}

func TestOverwrite(t *testing.T) {
	b, dir := open(t, Folder{Name: ".", Overwrite: true})
	for _, content := range []string{"a long one", "short"} {
		if err := put(b, "f", content, -1); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "f")); string(got) != content {
			t.Errorf("the file holds %q", got)
		}
	}
	// What is no regular file is never replaced.
	secret := filepath.Join(t.TempDir(), "secret")
	_ = os.WriteFile(secret, []byte("secret"), 0o644)
	_ = os.Symlink(secret, filepath.Join(dir, "link"))
	_ = os.Mkdir(filepath.Join(dir, "dir"), 0o755)
	for _, name := range []string{"link", "dir"} {
		if err := put(b, name, "x", -1); reason(err) != boot.UploadExists {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, _ := os.ReadFile(secret); string(got) != "secret" {
		t.Error("a link was followed")
	}
}

// Nothing but a plain name in a folder that was named is ever written.
func TestNames(t *testing.T) {
	b, dir := open(t, Folder{Name: "crash"}, Folder{Name: "deep/er"})
	_ = os.Mkdir(filepath.Join(dir, "crash/sub"), 0o755)
	_ = os.Symlink(t.TempDir(), filepath.Join(dir, "out"))
	for _, name := range []string{
		"", "a", "crash", "crash/", "crash/sub/a", "crash/../a", "../a", "/../a", "crash/..", "crash/.", "crash/.hidden", "other/a", "out/a",
		`..\a`, "crash/a\u009b31m", "crash/a\u202eb", "crash/\xff", "crash/a\x00b", "crash/a\nb", "deep/a", "deep/er", "crash/" + strings.Repeat("x", 201), "crash/" + files.Incomplete + "x",
	} {
		if err := put(b, name, "x", -1); reason(err) != boot.UploadFolder {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := put(b, "deep/er/a", "x", -1); err != nil {
		t.Error(err)
	}
	if got := names(t, filepath.Join(dir, "crash")); got != "sub" {
		t.Errorf("the folder holds %s", got)
	}
}

func TestLimits(t *testing.T) {
	b, dir := open(t, Folder{Name: "small", MaxSize: 10, MaxTotal: 25, From: []netip.Prefix{netip.MustParsePrefix("10.10.0.0/24")}})
	for _, c := range []struct {
		name, content string
		size          int64
		want          boot.Reason
	}{
		{"small/a", "0123456789", 10, ""},
		{"small/told", "x", 11, boot.UploadTooLarge},        // before the first byte
		{"small/b", "0123456789a", -1, boot.UploadTooLarge}, // while it comes
		{"small/c", "0123456789", -1, ""},
		{"small/d", "0123456789", -1, boot.UploadFull},
		{"small/e", "01234", 5, ""},
		{"small/f", "x", -1, boot.UploadFull},
	} {
		if err := put(b, c.name, c.content, c.size); reason(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	if got := names(t, filepath.Join(dir, "small")); got != "a c e" {
		t.Errorf("the folder holds %s", got)
	}
	if _, err := b.Create("small/g", netip.MustParseAddr("10.10.1.1"), -1); reason(err) != boot.UploadDenied {
		t.Errorf("another network: %v", err)
	}
	_ = os.Remove(filepath.Join(dir, "small/a"))
	if err := put(b, "small/g", "0123456789", -1); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

// What a process that died left is removed at once, what somebody writes is not, nor what is not
// ours: the lock says which is which, and a file system without locks the age.
func TestLeftOvers(t *testing.T) {
	dir := t.TempDir()
	writing, name, err := createIncomplete(rootOf(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	defer writing.Close()
	for _, f := range []string{files.Incomplete + "left", ".other", "file"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, files.Incomplete+"folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := Open(dir, []Folder{{Name: "."}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	want := []string{".other", files.Incomplete + "folder", name, "file"}
	slices.Sort(want)
	if got := names(t, dir); got != strings.Join(want, " ") {
		t.Errorf("left: %s, want %s", got, want)
	}
	root, err := files.Open(dir, files.Options{Fold: true})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, n := range []string{name, "/" + name, strings.ToUpper(name), `\` + name, "./" + name} {
		if root.Has(n) {
			t.Errorf("%s is handed out", n)
		}
	}
}

func rootOf(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

// A reload closes the inbox and opens another while a file is under way: it is finished.
func TestReloadMeanwhile(t *testing.T) {
	b, dir := open(t, Folder{Name: "crash"})
	for _, end := range []string{"commit", "abort"} {
		f, err := b.Create("crash/"+end, pc, -1)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write([]byte("one"))
		again, err := Open(dir, []Folder{{Name: "crash"}})
		if err != nil {
			t.Fatal(err)
		}
		if end == "abort" {
			_ = b.Close()
			f.Abort()
		} else if err := f.Commit(); err != nil {
			t.Error(err)
		}
		_ = again.Close()
	}
	if got := names(t, filepath.Join(dir, "crash")); got != "commit" {
		t.Errorf("the folder holds %s", got)
	}
}

// Folders that cannot be are refused; those that are not there now are told, and take files as soon
// as they are.
func TestFolders(t *testing.T) {
	dir := t.TempDir()
	_ = os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)
	for _, list := range [][]Folder{{{Name: ""}}, {{Name: "../x"}}, {{Name: "/x"}}, {{Name: "x/.."}}, {{Name: "current"}}, {{Name: "versions/1/in"}}, {{Name: "a"}, {Name: "./a/"}}} {
		if _, err := Open(dir, list); err == nil {
			t.Errorf("%+v", list)
		}
	}
	if _, err := Open(filepath.Join(dir, "none"), nil); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v", err)
	}
	b, err := Open(dir, []Folder{{Name: "missing"}, {Name: "file"}, {Name: "."}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	list := b.Troubles()
	if len(list) != 2 || !strings.Contains(list[0].Error(), "no such folder") || !strings.Contains(list[1].Error(), "not a directory") {
		t.Errorf("%v", list)
	}
	for _, name := range []string{"missing/a", "file/a"} {
		if err := put(b, name, "x", -1); reason(err) != boot.WriteFailed {
			t.Errorf("%s: %v", name, err)
		}
	}
	_ = os.Mkdir(filepath.Join(dir, "missing"), 0o755)
	if err := put(b, "missing/a", "x", -1); err != nil || len(b.Troubles()) != 1 {
		t.Errorf("%v, %v", err, b.Troubles())
	}
}

// disk mounts a file system of its own in a folder.
func disk(t *testing.T, options string) (*Inbox, string) {
	t.Helper()
	dir := t.TempDir()
	at := filepath.Join(dir, "crash")
	_ = os.Mkdir(at, 0o755)
	if err := unix.Mount("none", at, "tmpfs", 0, options); err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	b, err := Open(dir, []Folder{{Name: "crash"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b, at
}

func TestDiskFull(t *testing.T) {
	b, at := disk(t, "size=64k")
	if err := put(b, "crash/a", strings.Repeat("x", 100_000), -1); reason(err) != boot.UploadFull {
		t.Errorf("%v", err)
	}
	if got := names(t, at); got != "" {
		t.Errorf("the folder holds %s", got)
	}
	if err := put(b, "crash/a", strings.Repeat("x", 10_000), -1); err != nil {
		t.Errorf("there is room again: %v", err)
	}
	full, _ := disk(t, "nr_inodes=2") // the folder, and one file
	if err := put(full, "crash/a", "x", -1); err != nil {
		t.Fatal(err)
	}
	if err := put(full, "crash/b", "x", -1); reason(err) != boot.UploadFull {
		t.Errorf("%v", err)
	}
}

// What the packaged unit does to every folder that is not named in ReadWritePaths=.
func TestReadOnly(t *testing.T) {
	b, at := disk(t, "")
	if err := unix.Mount("none", at, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	err := put(b, "crash/a", "x", -1)
	if reason(err) != boot.WriteFailed || !strings.Contains(err.Error(), "ReadWritePaths=") {
		t.Errorf("%v", err)
	}
	list := b.Troubles()
	if len(list) != 1 || list[0].Folder != "crash" || !strings.Contains(list[0].Error(), "ReadWritePaths=") {
		t.Errorf("%v", list)
	}
}

// A name that comes to be a pipe, a device or a link while the file is under way is not touched.
func TestTargetThatComesMeanwhile(t *testing.T) {
	for _, overwrite := range []bool{false, true} {
		b, dir := open(t, Folder{Name: "crash", Overwrite: overwrite})
		for _, kind := range []string{"pipe", "link"} {
			at := filepath.Join(dir, "crash", kind)
			f, err := b.Create("crash/"+kind, pc, -1)
			if err != nil {
				t.Fatal(err)
			}
			if kind == "pipe" {
				err = unix.Mkfifo(at, 0o644)
			} else {
				err = os.Symlink("elsewhere", at)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Commit(); reason(err) != boot.UploadExists {
				t.Errorf("%s, overwrite %t: %v", kind, overwrite, err)
			}
			if st, err := os.Lstat(at); err != nil || st.Mode().IsRegular() {
				t.Errorf("%s: %v", kind, err)
			}
		}
		if got := names(t, filepath.Join(dir, "crash")); got != "link pipe" {
			t.Errorf("the folder holds %s", got)
		}
	}
}

// The way for file systems without RENAME_NOREPLACE replaces nothing either.
func TestLink(t *testing.T) {
	dir := t.TempDir()
	root := rootOf(t, dir)
	for _, name := range []string{"temp", "there"} {
		_ = os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644)
	}
	for _, by := range []error{link(root, "temp", "there"), place(root, "temp", "there", false)} {
		if got, _ := os.ReadFile(filepath.Join(dir, "there")); !errors.Is(by, fs.ErrExist) || string(got) != "there" {
			t.Errorf("%v, and the file holds %q", by, got)
		}
	}
	if err := link(root, "temp", "new"); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); got != "new there" {
		t.Errorf("the folder holds %s", got)
	}
	for _, err := range []error{unix.EINVAL, unix.ENOSYS, &fs.PathError{Err: unix.EOPNOTSUPP}} {
		if !refusesNoReplace(err) {
			t.Error(err)
		}
	}
}

// Others may read what was uploaded, and nobody but the server write it.
func TestMode(t *testing.T) {
	b, dir := open(t, Folder{Name: "crash"})
	if err := put(b, "crash/a", "x", -1); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, "crash/a"))
	if mask := umask(); err != nil || st.Mode() != 0o644&^mask {
		t.Errorf("%v %v", st.Mode(), err)
	}
}

func umask() os.FileMode {
	m := unix.Umask(0)
	unix.Umask(m)
	return os.FileMode(m)
}

// Many upload at once into a folder with a limit: it is never exceeded, and what is told to be kept is.
func TestTotalUnderLoad(t *testing.T) {
	b, dir := open(t, Folder{Name: "crash", MaxTotal: 1000})
	var kept atomic.Int32
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			switch err := put(b, fmt.Sprintf("crash/%d", i), strings.Repeat("x", 90), int64(i%2*91-1)); {
			case err == nil:
				kept.Add(1)
			case reason(err) != boot.UploadFull:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(strings.Fields(names(t, filepath.Join(dir, "crash")))); n != int(kept.Load()) || n > 11 || n == 0 {
		t.Errorf("%d files, %d were said to be kept", n, kept.Load())
	}
	if f := b.named("crash"); f.open != 0 || f.more != 0 {
		t.Errorf("%d open with %d bytes", f.open, f.more)
	}
}
