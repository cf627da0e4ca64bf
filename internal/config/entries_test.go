package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What entries stand for is looked at below the root, in the version that is served, if the root
// is on this machine. It is a warning: the file itself is right.
func TestWarnings(t *testing.T) {
	root := rootWith(t, "versions/v1/")
	for name, text := range map[string]string{"loose": "", "versions/v1/PVS.bin": "x", "versions/v1/good.tmpl": "{{.MAC}}", "versions/v1/bad.tmpl": "\n{{.Mac}}"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("versions/v1", filepath.Join(root, "current")); err != nil {
		t.Fatal(err)
	}
	site := func(root string) []byte {
		return []byte("root: " + root + `
nodes: {n1: {address: 10.0.0.1, roles: [tftp]}}
boot: [{name: t, file: surefoot-test}]
networks: {lan: {deliver: none}}
files:
  - {name: a, file: pvs.BIN}
  - {name: b, template: good.tmpl}
  - {name: c, file: loose}
  - {name: d, template: bad.tmpl}
`)
	}
	if _, err := Check("f", site(root), nil); err != nil {
		t.Fatal(err)
	}
	got := Warnings("f", site(root))
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	for i, want := range []Problem{
		{Line: 8, Column: 21, Path: "files[2].file", Message: `warning: no such file: "loose"`},
		{Line: 9, Column: 25, Path: "files[3].template", Message: "warning: bad.tmpl:2:2: there is no .Mac; there are .IP, .MAC"},
	} {
		p := got[i]
		if p.Line != want.Line || p.Column != want.Column || p.Path != want.Path || !strings.HasPrefix(p.Message, want.Message) || p.Excerpt == "" || p.Remedy == "" {
			t.Errorf("%+v, want %+v", p, want)
		}
	}
	for name, data := range map[string][]byte{"a root elsewhere": site("/nonexistent"), "no site file": []byte("x"), "no entry": []byte("root: " + root + "\n")} {
		if got := Warnings("f", data); len(got) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Without a site file, the files of the version that is served are those that machines get.
func TestDefaultLooksIntoTheVersion(t *testing.T) {
	root := rootWith(t, "pxelinux.0", "versions/v1/undionly.kpxe", "versions/v2/ipxe.efi")
	if err := os.Symlink("versions/v1", filepath.Join(root, "current")); err != nil {
		t.Fatal(err)
	}
	c, err := Default(DefaultOptions{Root: root, UEFIFile: "undionly.kpxe"})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rulesOf(c), " "); got != "bios=undionly.kpxe uefi-x64=undionly.kpxe" || c.Root != root {
		t.Errorf("%s below %s", got, c.Root)
	}
	if _, err := Default(DefaultOptions{Root: root, UEFIFile: "ipxe.efi"}); err == nil {
		t.Error("a file of another version is found")
	}
}
