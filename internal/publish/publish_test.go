package publish

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/files"
)

// folder makes a directory with the files, by name and content.
func folder(t testing.TB, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range contents {
		put(t, dir, name, text)
	}
	return dir
}

func put(t testing.TB, dir, name, text string) {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t testing.TB, dir, name, to string) {
	t.Helper()
	if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func openRoot(t testing.TB, dir string) *Root {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func state(t testing.TB, r *Root) State {
	t.Helper()
	st, err := r.State()
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// served reads a file as a server would.
func served(t testing.TB, dir, name string) string {
	t.Helper()
	r, err := files.Open(dir, files.Options{Fold: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := r.Open(name)
	if err != nil {
		return "error: " + err.Error()
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// leftovers lists what no version and no link is, everywhere below the versions and at the top.
func leftovers(t testing.TB, r *Root) []string {
	t.Helper()
	var out []string
	for _, dir := range []string{".", files.VersionsDir} {
		list, err := readDir(r.root, dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, e := range list {
			if leftover(e.Name()) {
				out = append(out, e.Name())
			}
		}
	}
	return out
}

var day = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// From the first version to the third, back and forth, with the old ones removed. The file has any
// case (F30).
func TestPublishAndRollback(t *testing.T) {
	dir := t.TempDir()
	r := openRoot(t, dir)
	publish := func(text string, o Options) Published {
		t.Helper()
		src := folder(t, map[string]string{"ARDBP32.BIN": text, "efi/boot/x.efi": "x", "empty": ""})
		link(t, src, "efi/alias.efi", "boot/x.efi")
		link(t, src, "boot", "efi/boot")
		if err := os.MkdirAll(filepath.Join(src, "hollow/deep"), 0o700); err != nil {
			t.Fatal(err)
		}
		p, err := r.Publish(t.Context(), src, o)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	check := func(text, current, previous string) {
		t.Helper()
		if got := served(t, dir, `\ardbp32.bin`); got != text {
			t.Errorf("served: %s, want %s", got, text)
		}
		if st := state(t, r); st.Current != current || st.Previous != previous || len(st.Loose) > 0 {
			t.Errorf("%+v", st)
		}
		if l := leftovers(t, r); len(l) > 0 {
			t.Errorf("left over: %q", l)
		}
	}
	old := unix.Umask(0o077) // whatever it is, the server can read
	defer unix.Umask(old)
	p := publish("one", Options{Now: day, Note: "the first"})
	if p.ID != "20261122-100000" || p.Previous != "" || p.Files != 5 || p.Bytes != 4 || len(p.Digest) != 64 || p.Same {
		t.Errorf("%+v", p)
	}
	check("one", p.ID, "")
	if served(t, dir, "EFI/ALIAS.EFI") != "x" || served(t, dir, "boot/x.efi") != "x" || served(t, dir, "empty") != "" {
		t.Error("the links of the version do not lead where they should")
	}
	for _, name := range []string{"versions", "versions/" + p.ID, "versions/" + p.ID + "/efi/boot", "versions/" + p.ID + "/ARDBP32.BIN", "versions/" + p.ID + ".json"} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil || fi.Mode().Perm()&0o444 != 0o444 {
			t.Errorf("%s: %v, %v: the server has a user of its own", name, fi.Mode(), err)
		}
	}
	if fi, err := os.Stat(filepath.Join(dir, "current/hollow/deep")); err != nil || !fi.IsDir() {
		t.Errorf("the empty folder: %v", err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "current")); err != nil || to != "versions/"+p.ID {
		t.Errorf("current leads to %s, %v", to, err)
	}

	second := publish("two", Options{Now: day}) // within the same second
	if second.ID != p.ID+"-2" || second.Digest == p.Digest || second.Previous != p.ID {
		t.Errorf("%+v", second)
	}
	check("two", second.ID, p.ID)
	third := publish("two", Options{Now: day.Add(time.Hour), ID: "v3"})
	if third.ID != "v3" || !third.Same || third.Digest != second.Digest {
		t.Errorf("the same files again: %+v", third)
	}
	check("two", "v3", second.ID)

	if back, err := r.Rollback("", true); err != nil || back.To != second.ID || !back.DryRun {
		t.Errorf("%+v, %v", back, err)
	}
	check("two", "v3", second.ID)
	if back, err := r.Rollback(p.ID, false); err != nil || back.From != "v3" || back.To != p.ID {
		t.Errorf("%+v, %v", back, err)
	}
	check("one", p.ID, "v3")
	if back, err := r.Rollback("", false); err != nil || back.To != "v3" {
		t.Errorf("%+v, %v", back, err)
	}
	check("two", "v3", p.ID)

	dry, err := r.Publish(t.Context(), folder(t, map[string]string{"a": "b"}), Options{Now: day.Add(2 * time.Hour), Keep: 1, DryRun: true})
	if err != nil || !dry.DryRun || !slices.Equal(dry.Removed, []string{second.ID, p.ID}) {
		t.Errorf("%+v, %v", dry, err)
	}
	check("two", "v3", p.ID)
	fourth := publish("four", Options{Now: day.Add(2 * time.Hour), Keep: 2})
	if !slices.Equal(fourth.Removed, []string{second.ID, p.ID}) {
		t.Errorf("%+v", fourth)
	}
	check("four", fourth.ID, "v3")
	if st := state(t, r); !slices.Equal(st.IDs(), []string{fourth.ID, "v3"}) || st.Versions[0].Files != 5 || st.Versions[1].Digest != third.Digest {
		t.Errorf("%+v", st)
	}
}

// Loose files become the first version, and come back.
func TestAdopt(t *testing.T) {
	dir := folder(t, map[string]string{"ARDBP32.BIN": "loose", "sub/x": "x"})
	link(t, dir, "sub/y", "x")
	r := openRoot(t, dir)
	src := folder(t, map[string]string{"ARDBP32.BIN": "new"})
	_, err := r.Publish(t.Context(), src, Options{Now: day})
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "ARDBP32.BIN, sub") || !strings.Contains(e.Hints[0], "--adopt") {
		t.Errorf("without adopting: %v", err)
	}
	if served(t, dir, "ardbp32.bin") != "loose" || len(leftovers(t, r)) > 0 {
		t.Error("something was changed")
	}
	p, err := r.Publish(t.Context(), src, Options{Now: day, Adopt: true, DryRun: true})
	if err != nil || p.Adopted != "adopted-20261122-100000" || served(t, dir, "sub/x") != "x" {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "versions")); err == nil {
		t.Error("a dry run makes something")
	}
	if p, err = r.Publish(t.Context(), src, Options{Now: day, Adopt: true}); err != nil || len(p.Left) > 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	if served(t, dir, "ardbp32.bin") != "new" || !strings.HasPrefix(served(t, dir, "sub/x"), "error") {
		t.Error("the new files are not served")
	}
	if st := state(t, r); len(st.Loose) > 0 || st.Previous != p.Adopted || st.Versions[1].ID != p.Adopted {
		t.Errorf("%+v", st)
	}
	if _, err := r.Rollback("", false); err != nil {
		t.Fatal(err)
	}
	if served(t, dir, "ardbp32.bin") != "loose" || served(t, dir, "sub/y") != "x" {
		t.Error("the loose files do not come back")
	}
}

// What may not be in a version is refused, all of it at once, and what is wrong with the rest is
// said with a remedy.
func TestPublishRefuses(t *testing.T) {
	bad := folder(t, map[string]string{"a": "a", "d/b": "b"})
	link(t, bad, "out", "../a")
	link(t, bad, "absolute", filepath.Join(bad, "a"))
	link(t, bad, "dangling", "nothing")
	link(t, bad, "d/fine", "../a")
	if err := unix.Mkfifo(filepath.Join(bad, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	put(t, bad, "latin\xff", "x")
	good := folder(t, map[string]string{"a": "a"})
	dir := folder(t, nil)
	r := openRoot(t, dir)
	if _, err := r.Publish(t.Context(), good, Options{ID: "v1"}); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "staging/a", "a")
	taken := folder(t, map[string]string{"current": "x"})
	for _, c := range []struct {
		name, dir string
		root      string
		o         Options
		want      []string
		hint      string
	}{
		{"kinds", bad, dir, Options{}, []string{
			`"absolute" is a link with an absolute path`, `"dangling" is a link that leads to nothing (nothing)`, `"out" is a link that leads out of the folder (../a)`,
			`"pipe" is a pipe`, `"latin\xff" is not UTF-8`,
		}, ""},
		{"nothing in it", folder(t, nil), dir, Options{}, []string{"there is no file in it"}, ""},
		{"not there", good + "/nowhere", dir, Options{}, []string{"no such file or directory"}, "the argument is the folder"},
		{"the root itself", dir, dir, Options{}, []string{"the versions would lie in it"}, "--adopt"},
		{"around the root", filepath.Dir(dir), dir, Options{}, []string{"the versions would lie in it"}, ""},
		{"an ID that is taken", good, dir, Options{ID: "v1"}, []string{"there is a version of that name already"}, "surefoot file rollback v1"},
		{"an ID that is none", good, dir, Options{ID: "../x"}, []string{"cannot be the name of a version"}, ""},
		{"an ID like a manifest", good, dir, Options{ID: "v.json"}, []string{"cannot be the name of a version"}, ""},
		{"a long note", good, dir, Options{Note: strings.Repeat("x", 501)}, []string{"at most 500 bytes"}, ""},
		{"a file called current", good, taken, Options{Adopt: true}, []string{"current is there already, and is no link to a version"}, "another name"},
	} {
		_, err := openRoot(t, c.root).Publish(t.Context(), c.dir, c.o)
		if err == nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v lacks %q", c.name, err, w)
			}
		}
		var e *Error
		if !errors.As(err, &e) || c.hint != "" && !strings.Contains(strings.Join(e.Hints, "\n"), c.hint) {
			t.Errorf("%s: %v, hints %q", c.name, err, e.Hints)
		}
	}
	if st := state(t, r); !slices.Equal(st.IDs(), []string{"v1"}) || len(leftovers(t, r)) > 0 {
		t.Errorf("%+v", st)
	}
	if p, err := r.Publish(t.Context(), filepath.Join(dir, "staging"), Options{ID: "v2"}); err != nil || p.Previous != "v1" {
		t.Errorf("from a folder in the root: %+v, %v", p, err)
	}
	if _, err := Open(dir + "/nowhere"); err == nil || !strings.Contains(err.Error(), "open the root") {
		t.Errorf("a root that is not there: %v", err)
	}
}

func TestRollbackRefuses(t *testing.T) {
	r := openRoot(t, t.TempDir())
	f := func(id, want, hint string) {
		t.Helper()
		_, err := r.Rollback(id, false)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || !strings.Contains(strings.Join(e.Hints, " "), hint) {
			t.Errorf("rollback %q: %v", id, err)
		}
	}
	f("", "the root has no versions", "publish")
	for i, id := range []string{"v1", "v2", "v3"} {
		if _, err := r.Publish(t.Context(), folder(t, map[string]string{"a": id}), Options{ID: id, Now: day.Add(time.Duration(i) * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			f("", "there is no previous version", "there is no other version than v1")
		}
	}
	f("v3", "v3 is the current version", "v2, v1")
	f("v9", `there is no version "v9"`, "v2, v1")
	f("../x", "there is no version", "")
}

// One publisher at a time, and one that is interrupted leaves nothing.
func TestPublishAloneAndWhole(t *testing.T) {
	dir := t.TempDir()
	r := openRoot(t, dir)
	src := folder(t, map[string]string{"a": "a", "b": "b"})
	if _, err := r.Publish(t.Context(), src, Options{ID: "v1"}); err != nil {
		t.Fatal(err)
	}
	other := openRoot(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	r.step = func(what string) {
		if what != "copy b" {
			return
		}
		if _, err := other.Publish(t.Context(), src, Options{ID: "v2"}); err == nil || !strings.Contains(err.Error(), "somebody else is publishing") {
			t.Errorf("two at a time: %v", err)
		}
		if _, err := other.Rollback("v1", false); err == nil {
			t.Error("a rollback while somebody publishes")
		}
		cancel()
	}
	if _, err := r.Publish(ctx, src, Options{ID: "v3"}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if st := state(t, r); !slices.Equal(st.IDs(), []string{"v1"}) || st.Current != "v1" || len(leftovers(t, r)) > 0 {
		t.Errorf("%+v, %q", st, leftovers(t, r))
	}
	r.step = func(what string) {
		if what == "copy a" {
			put(t, src, "a", "longer")
		}
	}
	if _, err := r.Publish(t.Context(), src, Options{ID: "v4"}); err == nil || !strings.Contains(err.Error(), "a: it was changed while it was read") {
		t.Errorf("a file that changes meanwhile: %v", err)
	}
	if len(leftovers(t, r)) > 0 || state(t, r).Current != "v1" {
		t.Error("something stays of it")
	}
}

// A disk that becomes full: said clearly, nothing switched, nothing left behind.
func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small disk")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	r := openRoot(t, dir)
	src := folder(t, map[string]string{"a": strings.Repeat("a", 600<<10), "b": strings.Repeat("b", 600<<10)})
	if _, err := r.Publish(t.Context(), folder(t, map[string]string{"a": "old"}), Options{ID: "v1"}); err != nil {
		t.Fatal(err)
	}
	large := folder(t, map[string]string{"a": strings.Repeat("a", 3<<20)})
	if _, err := r.Publish(t.Context(), large, Options{}); err == nil || !strings.Contains(err.Error(), "3145728 bytes are needed below "+dir) {
		t.Errorf("seen before: %v", err)
	}
	r.step = func(what string) {
		if what == "copy b" {
			put(t, dir, "versions/.old-filler", strings.Repeat("x", 1<<20))
		}
	}
	_, err := r.Publish(t.Context(), src, Options{ID: "v2"})
	var e *Error
	if !errors.Is(err, unix.ENOSPC) || !errors.As(err, &e) || !strings.Contains(err.Error(), "b: no space left on device") || len(e.Hints) == 0 {
		t.Errorf("seen too late: %v", err)
	}
	if st := state(t, r); st.Current != "v1" || !slices.Equal(st.IDs(), []string{"v1"}) || !slices.Equal(leftovers(t, r), []string{".old-filler"}) {
		t.Errorf("%+v, %q", st, leftovers(t, r))
	}
	r.step = func(string) {}
	if _, err := r.Publish(t.Context(), src, Options{ID: "v2"}); err != nil || len(leftovers(t, r)) > 0 {
		t.Errorf("once there is room: %v, %q", err, leftovers(t, r))
	}
}
