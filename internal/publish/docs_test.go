package publish

import (
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/files"
)

// What docs/files.md shows works: the template, and the command that makes the digest.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/files.md")
	if err != nil {
		t.Fatal(err)
	}
	template := regexp.MustCompile("(?s)```text\n(DEFAULT .*?)```").FindSubmatch(b)
	digest := regexp.MustCompile("(?m)^(cd /srv/boot/current && .*)$").FindSubmatch(b)
	if template == nil || digest == nil {
		t.Fatal("the page shows no template, or no command for the digest")
	}
	src, dir := folder(t, map[string]string{"pxelinux.cfg.tmpl": string(template[1]), "with space/ARDBP32.BIN": "x", "Z": "z", "a": "a"}), t.TempDir()
	p, err := openRoot(t, dir).Publish(t.Context(), src, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", strings.Replace(string(digest[1]), "/srv/boot", dir, 1)).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), p.Digest+" ") {
		t.Errorf("digest %s, the command gives %s (%v)", p.Digest, out, err)
	}
	root, err := files.Open(dir, files.Options{Fold: true, Entries: []files.Entry{{Name: "pxelinux.cfg/*", Template: "pxelinux.cfg.tmpl"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f, err := root.OpenFor("pxelinux.cfg/01-52-54-00-12-34-56", files.Asker{
		Server: netip.MustParseAddr("10.10.0.11"),
		Who:    func(netip.Addr, boot.MAC) files.Client { return files.Client{Network: "lab"} },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, _ := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	want := "DEFAULT linux\nLABEL linux\n  KERNEL http://10.10.0.11:8067/vmlinuz\n  APPEND host=unknown BOOTIF=01-52-54-00-12-34-56 debug\n"
	if string(text) != want {
		t.Errorf("got %s\nwant %s", text, want)
	}
	for _, word := range []string{"lower", "upper", "hexdash", "default", "print", ".Firmware"} {
		if !strings.Contains(string(b), "`"+word) {
			t.Errorf("the page does not explain %s", word)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "current/Z")); err != nil {
		t.Error(err)
	}
}
