package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// lead makes a link of a root lead to a version, as publishing does.
func lead(t testing.TB, dir, link, to string) {
	t.Helper()
	tmp := filepath.Join(dir, "."+link)
	if err := os.Symlink(to, tmp); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, link)); err != nil {
		t.Fatal(err)
	}
}

// write puts a file into a root.
func write(t testing.TB, dir, name, text string) {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A switch counts from the next request on; what is open stays. Names have any case (F30) and
// entries hold in versions, too.
func TestVersions(t *testing.T) {
	dir := makeTree(t, "loose")
	write(t, dir, "versions/1/pvs/ARDBP32.BIN", "one")
	write(t, dir, "versions/2/pvs/Ardbp32.bin", "two")
	write(t, dir, "versions/1/only1", "only1")
	r := open(t, dir, Options{Fold: true, Entries: []Entry{{Name: "ardbp32.bin", File: "pvs/ardbp32.bin"}}, Builtin: map[string][]byte{"b": []byte("b")}})
	check := func(name, want string) {
		t.Helper()
		if got := content(t, r, name); got != want && (want != "" || !r.missing(name)) {
			t.Errorf("%s = %s, want %q", name, got, want)
		}
	}
	check("loose", "loose")
	check("versions/1/only1", "only1")
	if v, err := r.Version(); v != "" || err != nil {
		t.Errorf("version %q, %v", v, err)
	}

	lead(t, dir, CurrentLink, "versions/1")
	check("ARDBP32.BIN", "one")
	check(`\PVS\ardbp32.bin`, "one")
	check("ONLY1", "only1")
	check("b", "b")
	for _, name := range []string{"loose", "versions/1/only1", "versions/2/pvs/Ardbp32.bin", "current/only1", "VERSIONS/1/ONLY1"} {
		check(name, "")
	}
	old, err := r.Open("ardbp32.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if old.Name() != "pvs/ARDBP32.BIN" || old.Version() != "1" {
		t.Errorf("%s of version %q", old.Name(), old.Version())
	}

	lead(t, dir, CurrentLink, "versions/2")
	check("ARDBP32.BIN", "two")
	check("only1", "")
	if v, err := r.Version(); v != "2" || err != nil {
		t.Errorf("version %q, %v", v, err)
	}
	again, err := old.Again()
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for _, f := range []*File{old, again} {
		if b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size())); string(b) != "one" || err != nil {
			t.Errorf("what was open reads %q, %v", b, err)
		}
	}

	lead(t, dir, CurrentLink, "versions/3")
	_, err = r.Open("ardbp32.bin")
	var ve *VersionError
	if !errors.As(err, &ve) || ve.ID != "3" || !errors.Is(err, fs.ErrNotExist) || r.Has("ardbp32.bin") {
		t.Errorf("a version that is not there: %v", err)
	}
	check("b", "b")

	// The same name, and another directory behind it.
	write(t, dir, "versions/3/x", "x")
	check("x", "x")
	if err := os.Rename(filepath.Join(dir, "versions/3"), filepath.Join(dir, "versions/4")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "versions/3/y", "y")
	check("x", "")
	check("y", "y")
}

// missing reports whether nothing has a name.
func (r *Root) missing(name string) bool {
	_, err := r.Open(name)
	return errors.Is(err, fs.ErrNotExist)
}

// Only a link to a version makes a root one of versions: what else is called "current" is a file
// or a folder like any other, and nothing leads out.
func TestCurrentIsSomethingElse(t *testing.T) {
	for _, to := range []string{"sub", "../versions/1", "versions/../sub", "versions/a/b", "/versions/1", "versions/.hidden", "versions/1.json", "versions"} {
		dir := makeTree(t, "sub/x", "versions/1/x")
		lead(t, dir, CurrentLink, to)
		r := open(t, dir, Options{Fold: true})
		if v, err := r.Version(); v != "" || err != nil {
			t.Errorf("%s: version %q, %v", to, v, err)
		}
		if got := content(t, r, "sub/x"); got != "sub/x" {
			t.Errorf("%s: %s", to, got)
		}
	}
	dir := makeTree(t, "current/x")
	if got := content(t, open(t, dir, Options{}), "current/x"); got != "current/x" {
		t.Error(got)
	}
	dir = makeTree(t, "x")
	if err := os.Mkdir(filepath.Join(dir, VersionsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(dir), filepath.Join(dir, VersionsDir, "1")); err != nil {
		t.Fatal(err)
	}
	lead(t, dir, CurrentLink, "versions/1")
	if _, err := open(t, dir, Options{}).Open("secret"); err == nil {
		t.Error("a version that is a link out of the root is served")
	}
}

// A link of a version stays within the version: what other versions hold is no business of it.
func TestLinksStayInTheirVersion(t *testing.T) {
	dir := makeTree(t, "secret-loose", "versions/1/in/x", "versions/2/x")
	for name, to := range map[string]string{"ok": "in/x", "other": "../2/x", "loose": "../../secret-loose", "out": "../../../secret"} {
		if err := os.Symlink(to, filepath.Join(dir, "versions/1", name)); err != nil {
			t.Fatal(err)
		}
	}
	lead(t, dir, CurrentLink, "versions/1")
	r := open(t, dir, Options{Fold: true})
	if got := content(t, r, "OK"); got != "versions/1/in/x" {
		t.Error(got)
	}
	for _, name := range []string{"other", "loose", "out", "../2/x", "in/../../2/x"} {
		if _, err := r.Open(name); !errors.Is(err, ErrOutside) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestServedDir(t *testing.T) {
	dir := makeTree(t, "versions/1/x")
	if got := ServedDir(dir); got != dir {
		t.Error(got)
	}
	lead(t, dir, CurrentLink, "versions/1")
	if got := ServedDir(dir); got != dir+"/versions/1" {
		t.Error(got)
	}
	if got := ServedDir(dir + "/nowhere"); got != dir+"/nowhere" {
		t.Error(got)
	}
}

// While versions are switched, every file that is opened is of one version, and says of which.
func TestSwitchUnderLoad(t *testing.T) {
	dir := makeTree(t)
	for _, id := range []string{"1", "2"} {
		write(t, dir, "versions/"+id+"/Sub/Name", id)
	}
	lead(t, dir, CurrentLink, "versions/1")
	r := open(t, dir, Options{Fold: true, Entries: []Entry{{Name: "alias", File: "sub/name"}}})
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				f, err := r.Open([]string{"Sub/Name", "SUB/NAME", "alias", `sub\name`}[(n+i)%4])
				if err != nil {
					t.Errorf("%v", err)
					return
				}
				b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
				if err != nil || string(b) != f.Version() {
					t.Errorf("%q of version %s, %v", b, f.Version(), err)
				}
				_ = f.Close()
			}
		})
	}
	for i := range 300 {
		lead(t, dir, CurrentLink, "versions/"+string("12"[i%2]))
	}
	close(stop)
	all.Wait()
}
