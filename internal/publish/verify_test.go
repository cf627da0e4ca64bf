package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/files"
	"surefoot/internal/probe"
	"surefoot/internal/serve/tftp"
)

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// kinds prints differences as "kind file".
func kinds(list []Difference) []string {
	var out []string
	for _, d := range list {
		out = append(out, string(d.Kind)+" "+d.File)
	}
	return out
}

// The manifest's digest is what sha256sum gives, and whatever is changed below a version is found.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	r := openRoot(t, dir)
	src := folder(t, map[string]string{"ARDBP32.BIN": "a", "b": "bb", "sub/c": "c", "gone": "g", "empty": ""})
	link(t, src, "link", "b")
	p, err := r.Publish(t.Context(), src, Options{ID: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `find . -type f -o -type l | sed 's,^./,,' | LC_ALL=C sort | tr '\n' '\0' | xargs -0 sha256sum | sha256sum`)
	cmd.Dir = src
	if out, err := cmd.Output(); err != nil || !strings.HasPrefix(string(out), p.Digest+" ") {
		t.Errorf("digest %s, sha256sum says %s (%v)", p.Digest, out, err)
	}
	var done, all int64
	ref, err := r.Verify(t.Context(), "", func(d, n int64) { done, all = d, n })
	if err != nil || !ref.Local.OK || ref.Version != "v1" || !ref.Manifest || ref.Digest != p.Digest || ref.Files != 6 || ref.Bytes != 5 || done != 5 || all != 5 {
		t.Errorf("%+v, %v, %d of %d", ref, err, done, all)
	}
	v := filepath.Join(dir, "versions/v1")
	put(t, v, "ARDBP32.BIN", "b")
	put(t, v, "extra", "x")
	if err := os.Remove(filepath.Join(v, "gone")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(v, "sub/c")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(v, "sub/c"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(v, "link")); err != nil {
		t.Fatal(err)
	}
	put(t, v, "link", "bb")
	ref, err = r.Verify(t.Context(), "v1", nil)
	want := []string{"changed ARDBP32.BIN", "extra extra", "missing gone", "changed link", "unreadable sub/c"}
	if err != nil || ref.Local.OK || !slices.Equal(kinds(ref.Local.Differences), want) {
		t.Errorf("%v, %q, want %q", err, kinds(ref.Local.Differences), want)
	}
	if d := ref.Local.Differences[0]; d.Expected != sum("a") || d.Found != sum("b") {
		t.Errorf("%+v", d)
	}
	if _, err := r.Verify(t.Context(), "v2", nil); err == nil || !strings.Contains(err.Error(), "there is no version v2") {
		t.Errorf("%v", err)
	}
	put(t, dir, "versions/v1.json", `{"id":"v1","digest":"x","files":[]}`)
	if _, err := r.Verify(t.Context(), "v1", nil); err == nil || !strings.Contains(err.Error(), "it was changed or is damaged") {
		t.Errorf("%v", err)
	}
	if st := state(t, r); !strings.Contains(st.Versions[0].Error, "damaged") {
		t.Errorf("%+v", st)
	}
}

func TestVerifyWithoutVersions(t *testing.T) {
	dir := folder(t, map[string]string{"a": "a", "sub/b": "b"})
	link(t, dir, "broken", "nowhere")
	ref, err := openRoot(t, dir).Verify(t.Context(), "", nil)
	if err != nil || ref.Manifest || ref.Version != "" || ref.Files != 2 || ref.Digest != Digest([]Item{{Name: "a", SHA256: sum("a")}, {Name: "sub/b", SHA256: sum("b")}}) {
		t.Errorf("%+v, %v", ref, err)
	}
	if got := kinds(ref.Local.Differences); !slices.Equal(got, []string{"unreadable broken"}) {
		t.Errorf("%q", got)
	}
}

// serve runs a real server over a root.
func serve(t *testing.T, dir string) Server {
	t.Helper()
	root, err := files.Open(dir, files.Options{Fold: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tftp.New(tftp.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Files: root, DrainTimeout: time.Millisecond}, tftp.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, nil) }()
	t.Cleanup(func() { cancel(); <-done; _ = root.Close() })
	return Server{Name: "n", Host: "127.0.0.1", Port: s.Addr().Port()}
}

// What a server really hands out is compared, byte by byte; a version that is switched meanwhile
// is seen by the next download.
func TestDownload(t *testing.T) {
	contents := map[string]string{"ARDBP32.BIN": strings.Repeat("pvs", 5000), "sub/x": "x", "empty": "", "y": "y"}
	dir := t.TempDir()
	r := openRoot(t, dir)
	if _, err := r.Publish(t.Context(), folder(t, contents), Options{ID: "v1"}); err != nil {
		t.Fatal(err)
	}
	srv := serve(t, dir)
	var want []Wanted
	for _, name := range []string{"ARDBP32.BIN", "ardbp32.bin", `\ARDBP32.BIN`, "empty", "sub/x", "y"} { // F30
		key := strings.TrimPrefix(name, `\`)
		if key == "ardbp32.bin" {
			key = "ARDBP32.BIN"
		}
		want = append(want, Wanted{Name: name, SHA256: sum(contents[key]), Size: int64(len(contents[key]))})
	}
	o := probe.Options{Timeout: 5 * time.Second}
	var done, all int64
	d, err := Download(t.Context(), srv, want, o, func(a, b int64) { done, all = a, b })
	if err != nil || !d.OK || d.Files != 6 || d.Bytes != 45002 || done != all || all != 45002 {
		t.Errorf("%+v, %v, %d of %d", d, err, done, all)
	}

	contents["ARDBP32.BIN"] = strings.Repeat("PVS", 5000)
	delete(contents, "y")
	if _, err := r.Publish(t.Context(), folder(t, contents), Options{ID: "v2"}); err != nil {
		t.Fatal(err)
	}
	d, err = Download(t.Context(), srv, want, o, nil)
	wrong := []string{"changed ARDBP32.BIN", "changed ardbp32.bin", `changed \ARDBP32.BIN`, "not-delivered y"}
	if err != nil || d.OK || d.Files != 2 || !slices.Equal(kinds(d.Differences), wrong) {
		t.Errorf("after the switch: %q, %v", kinds(d.Differences), err)
	}
	if x := d.Differences[0]; x.Expected != want[0].SHA256 || x.Found != sum(contents["ARDBP32.BIN"]) || x.Text != "15000 bytes, as expected" {
		t.Errorf("%+v", x)
	}

	gone, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(gone.LocalAddr().(*net.UDPAddr).Port)
	_ = gone.Close()
	d, err = Download(t.Context(), Server{Name: "dead", Host: "127.0.0.1", Port: port}, want, o, nil)
	if err != nil || d.OK || d.Differences[0].Kind != NotDelivered || d.Differences[1].Kind != NotAsked || len(d.Differences) != 6 {
		t.Errorf("nobody there: %q, %v", kinds(d.Differences), err)
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		patterns []string
		name     string
		want     bool
	}{
		{nil, "a", true},
		{[]string{"a"}, "a", true},
		{[]string{"b", "sub/*"}, "sub/x", true},
		{[]string{"*"}, "sub/x", false},
		{[]string{"a["}, "a[", true},
	} {
		if got := Match(c.patterns, c.name); got != c.want {
			t.Errorf("%q %q: %v", c.patterns, c.name, got)
		}
	}
}

// What clients ask for is not only what lies there: entries stand before files.
func TestWanted(t *testing.T) {
	ref := Reference{Items: []Item{{Name: "ARDBP32.BIN", SHA256: "1", Size: 1}, {Name: "dir", Link: "pvs"}, {Name: "round", Link: "round"}, {Name: "menu.cfg", SHA256: "2"}, {Name: "pvs/New.bin", SHA256: "3", Size: 3}}}
	entries := []files.Entry{
		{Name: "ardbp32.bin", File: "PVS/new.bin"},
		{Name: "ardbp32.BIN", File: "menu.cfg"}, // never reached where names are folded
		{Name: "menu.cfg", Template: "menu.tmpl"},
		{Name: "pxelinux.cfg/*", Template: "x.tmpl"},
		{Name: "gone", File: "nowhere"},
		{Name: "linked", File: "Dir/new.BIN"},
		{Name: "loop", File: "round/x"},
	}
	names := func(want []Wanted) (out []string) {
		for _, w := range want {
			out = append(out, w.Name+"="+w.SHA256)
		}
		return out
	}
	want, skipped := ref.Wanted(nil, entries, true)
	if got := names(want); !slices.Equal(got, []string{"ardbp32.bin=3", "linked=3", "pvs/New.bin=3"}) || !slices.Equal(skipped, []string{"menu.cfg"}) {
		t.Errorf("%q, skipped %q", got, skipped)
	}
	want, _ = ref.Wanted(nil, entries, false)
	if got := names(want); !slices.Equal(got, []string{"ARDBP32.BIN=1", "ardbp32.BIN=2", "pvs/New.bin=3"}) {
		t.Errorf("without folding: %q", got)
	}
	want, skipped = ref.Wanted([]string{"pvs/*"}, entries, true)
	if got := names(want); !slices.Equal(got, []string{"pvs/New.bin=3"}) || len(skipped) > 0 {
		t.Errorf("by a pattern: %q, skipped %q", got, skipped)
	}
}
