package files

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hostile are names that have led other servers out of their root, hung them or ended them.
var hostile = []string{
	"a", "../secret", `..\..\secret`, "//x", "./.", "SUB/UP/secret", "sub/..", "a\x00", "\xff/\xfe", `\\host\share`,
	"current", "current/a", "versions/1/a", "../versions/2/a", "../2/a", "CURRENT/../../secret", "previous/a", "versions/1.json",
	"alias", `\ALIAS`, "menu/x", "menu/../../secret", `menu\..\..\secret`, "menu/01-52-54-00-12-34-56", "menu/\x00", "menu/\xff",
	"/dev/null", "dev/null", "CON", "nul.txt", "C:\\boot", "pipe", "PIPE", "menu/pipe", "out", "OUT", "loop", "up/secret",
	"zero", "ZERO/", "aux", "COM1:", "/proc/self/environ", "a\u0301", "\u202ea", "\uff0e\uff0e/secret", "a\xc0\xaf..\xc0\xafsecret",
	strings.Repeat("a", 300), strings.Repeat("../", 1500), strings.Repeat("menu/", 900), "menu/" + strings.Repeat("x", 5000), "", "/", "{{.File}}", "menu/{{.File}}",
}

// FuzzOpen: whatever name is asked for, with entries and versions or without, what is opened lies
// below the tree that is served and is what the name stands for.
func FuzzOpen(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	entries := []Entry{
		{Name: "alias", File: "a"},
		{Name: "menu/*", Template: "t.tmpl"},
		{Name: "out-*", File: "out"},
		{Name: "[a-c]?*", File: "Sub/b"},
	}
	plain, versioned := makeTree(f, "a", "Sub/b"), makeTree(f, "loose", "versions/2/a")
	version := filepath.Join(versioned, "versions/1")
	write(f, version, "a", "a")
	write(f, version, "Sub/b", "Sub/b")
	lead(f, versioned, CurrentLink, "versions/1")
	for _, dir := range []string{plain, version} {
		write(f, dir, "t.tmpl", "t.tmpl {{.File}}")
		for name, to := range map[string]string{"Sub/up": "../..", "out": "../secret", "loop": "loop", "other": "../2/a", "zero": "/dev/zero"} {
			if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
				f.Fatal(err)
			}
		}
		if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	roots := []*Root{
		open(f, plain, Options{Fold: true, Builtin: map[string][]byte{"c": []byte("c")}}),
		open(f, plain, Options{}),
		open(f, plain, Options{Fold: true, Entries: entries}),
		open(f, versioned, Options{Fold: true, Entries: entries}),
		open(f, versioned, Options{Entries: entries}),
	}
	f.Fuzz(func(t *testing.T, name string) {
		for i, r := range roots {
			start := time.Now()
			file, err := r.Open(name)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%q took %v", name, took)
			}
			if has := r.Has(name); has != (err == nil) && !errors.As(err, new(*TemplateError)) {
				t.Errorf("root %d: Has(%q) is %v, and Open says %v", i, name, has, err)
			}
			if err != nil {
				continue
			}
			b, err := io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
			want := file.Name()
			switch {
			case file.Template() != "":
				want = "t.tmpl " + strings.TrimLeft(name, "/")
			case want == "t.tmpl":
				want = "t.tmpl {{.File}}"
			}
			if err != nil || string(b) != want {
				t.Errorf("root %d: %q opened %q with the content %q, %v", i, name, file.Name(), b, err)
			}
			if id := map[bool]string{true: "1"}[i > 2]; file.Version() != id {
				t.Errorf("root %d: %q is of version %q", i, name, file.Version())
			}
			_ = file.Close()
		}
	})
}

// FuzzTemplate: no template makes the program stop, take long or make more than may be.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"{{.MAC}}", "{{if eq .MAC \"\"}}a{{else}}b{{end}}", "{{with $x := .IP}}{{$x | upper}}{{end}}", "{{range 9}}{{end}}", "{{define \"a\"}}{{template \"a\"}}{{end}}",
		"{{block \"b\" .}}{{.File}}{{end}}", "{{slice .MAC 0 2}}{{index .MAC 1}}{{len .IP}}", "{{/* c */}}{{- 1 -}}", "{{(.).MAC}}", "{{nil}}", "{{.}}", "{{print . . .}}", "{{and 1 (or 0 .IP) | not}}", "{{break}}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		src := builtinFile("t", []byte(text), time.Time{})
		start := time.Now()
		out, err := renderText(src, Client{IP: "10.0.0.7", MAC: "52:54:00:12:34:56", File: "x"})
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if err != nil && !errors.As(err, new(*TemplateError)) || len(out) > maxText {
			t.Errorf("%d bytes, %v", len(out), err)
		}
	})
}
