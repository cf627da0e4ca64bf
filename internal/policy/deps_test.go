package policy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

const depsDoc = "docs/dependencies.md"

// dependency is a row of a table in the document.
type dependency struct{ section, licence, reason string }

var rowRE = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]+) \\|$")

func documented(t *testing.T) map[string]dependency {
	t.Helper()
	out := map[string]dependency{}
	for _, part := range strings.Split(readTree(t, depsDoc), "\n## ")[1:] {
		section, _, _ := strings.Cut(part, "\n")
		for _, m := range rowRE.FindAllStringSubmatch(part, -1) {
			if _, twice := out[m[1]]; twice {
				t.Errorf("%s: %s stands there twice", depsDoc, m[1])
			}
			out[m[1]] = dependency{section, strings.TrimSpace(m[2]), strings.TrimSpace(m[3])}
		}
	}
	return out
}

var requireRE = regexp.MustCompile(`(?m)^(?:require )?\t?([a-z0-9.-]+\.[a-z]+/[^ ]+) (v[^ \n]+)`)

// requirements returns module → version of a go.mod file.
func requirements(t *testing.T, file string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, m := range requireRE.FindAllStringSubmatch(readTree(t, file), -1) {
		out[m[1]] = m[2]
	}
	if len(out) == 0 {
		t.Fatalf("%s: no requirement found", file)
	}
	return out
}

// imported says of each required module whether the program imports it, or only tests do.
func imported(t *testing.T, mods map[string]string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, f := range goFiles(t) {
		for _, path := range f.imports() {
			best := ""
			for m := range mods {
				if (path == m || strings.HasPrefix(path, m+"/")) && len(m) > len(best) {
					best = m
				}
			}
			switch {
			case best == "":
			case !f.test && !strings.Contains(f.dir, "testkit"):
				out[best] = "In the program"
			case out[best] == "":
				out[best] = "In tests only"
			}
		}
	}
	return out
}

func TestDependenciesAreDocumented(t *testing.T) {
	docs, mods := documented(t), requirements(t, "go.mod")
	uses := imported(t, mods)
	for m := range mods {
		want := uses[m]
		if want == "" {
			want = "Brought along by these"
		}
		row, ok := docs[m]
		switch {
		case !ok:
			t.Errorf("%s does not name %s: say there, under %q, why it is needed", depsDoc, m, want)
		case row.section != want:
			t.Errorf("%s: %s stands under %q, but belongs to %q", depsDoc, m, row.section, want)
		}
	}
	tools := requirements(t, "scripts/tools.mod")
	for m, row := range docs {
		in := mods
		if row.section == "Tools" {
			in = tools
		}
		if _, ok := in[m]; !ok {
			t.Errorf("%s names %s, which is required no more", depsDoc, m)
		}
		if len(row.reason) < 5 && row.section != "Brought along by these" {
			t.Errorf("%s: %s has no reason", depsDoc, m)
		}
	}
}

// licences that may be in what we hand out, each with words of its text.
var licences = map[string]string{
	"Apache-2.0":   "Apache License",
	"MIT":          "Permission is hereby granted, free of charge",
	"BSD-3-Clause": "Redistribution and use in source and binary forms",
	"MPL-2.0":      "Mozilla Public License", // for tests
}

func TestLicences(t *testing.T) {
	mods := requirements(t, "go.mod")
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache, read := strings.TrimSpace(string(out)), 0
	for m, row := range documented(t) {
		words, ok := licences[row.licence]
		if !ok || row.licence == "MPL-2.0" && row.section != "In tests only" {
			t.Errorf("%s: %s is under %s, which is not among those that we may hand out", depsDoc, m, row.licence)
			continue
		}
		text := licenceText(filepath.Join(cache, escaped(m)+"@"+mods[m]))
		if text == "" {
			continue // not downloaded: nothing of it is compiled
		}
		read++
		if !strings.Contains(strings.Join(strings.Fields(text), " "), words) {
			t.Errorf("%s: %s says %s, its licence file reads otherwise: %.80q", depsDoc, m, row.licence, text)
		}
	}
	if read < 5 {
		t.Errorf("only %d licence files found in the module cache: the search is wrong", read)
	}
}

// escaped writes a module path as the module cache does: capitals as "!" and the small letter.
func escaped(path string) string {
	var b strings.Builder
	for _, r := range path {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// licenceText returns the licence in a folder, or "".
func licenceText(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	names := []string{"license", "licence", "copying"}
	for _, e := range entries {
		base, _, _ := strings.Cut(strings.ToLower(e.Name()), ".")
		if slices.Contains(names, base) && !e.IsDir() {
			if b, err := os.ReadFile(filepath.Join(dir, e.Name())); err == nil {
				return string(b)
			}
		}
	}
	return ""
}
