package inbox

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
		`..\a`, "crash/a\x00b", "crash/a\nb", "deep/a", "deep/er", "crash/" + strings.Repeat("x", 201), "crash/" + files.Incomplete + "x",
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

// What a process that died left is removed, what is being written is not.
func TestLeftOvers(t *testing.T) {
	dir := t.TempDir()
	old, young := filepath.Join(dir, files.Incomplete+"old"), filepath.Join(dir, files.Incomplete+"young")
	for _, f := range []string{old, young} {
		if err := os.WriteFile(f, []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Now().Add(-2 * abandoned)
	if err := os.Chtimes(old, then, then); err != nil {
		t.Fatal(err)
	}
	b, err := Open(dir, []Folder{{Name: "."}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if got := names(t, dir); got != filepath.Base(young) {
		t.Errorf("left: %s", got)
	}
	root, err := files.Open(dir, files.Options{Fold: true})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, name := range []string{filepath.Base(young), "/" + filepath.Base(young), strings.ToUpper(filepath.Base(young))} {
		if root.Has(name) {
			t.Errorf("%s is handed out", name)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	_ = os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)
	for _, name := range []string{"missing", "file", "../x"} {
		if _, err := Open(dir, []Folder{{Name: name}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
