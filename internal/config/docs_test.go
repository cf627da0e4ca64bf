package config

import (
	"os"
	"strings"
	"testing"
)

const docsPath = "../../docs/config.md"

// The generated parts of docs/config.md are what the table of keys says. go test -update writes them.
func TestDocsAreGenerated(t *testing.T) {
	text := string(read(t, docsPath))
	want := between(t, text, "<!-- known files: generated -->\n", "<!-- end of known files -->", KnownMarkdown())
	want = between(t, want, "<!-- reference: generated -->\n", "<!-- end of reference -->", "\n"+Markdown()+"\n")
	if want == text {
		return
	}
	if !*update {
		t.Fatalf("%s differs from the table of keys: go test ./internal/config -update writes it", docsPath)
	}
	if err := os.WriteFile(docsPath, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// between replaces what stands between two marks.
func between(t *testing.T, text, from, to, inner string) string {
	t.Helper()
	before, rest, ok := strings.Cut(text, from)
	_, after, found := strings.Cut(rest, to)
	if !ok || !found {
		t.Fatalf("%s: no %s ... %s", docsPath, from, to)
	}
	return before + from + inner + to + after
}

// Every YAML block of the page is a site file that loads.
func TestDocsLoad(t *testing.T) {
	blocks := strings.Split(string(read(t, docsPath)), "```yaml\n")[1:]
	if len(blocks) < 2 {
		t.Fatalf("%d YAML blocks, want 2 or more", len(blocks))
	}
	for _, b := range blocks {
		text, _, closed := strings.Cut(b, "```")
		if !closed {
			t.Fatal("a block without an end")
		}
		if _, err := Check("docs/config.md", []byte(text), nil); err != nil {
			t.Errorf("%v", err)
		}
	}
}

// Every key has what its explanation needs, and its example is right where it belongs.
func TestKeyTable(t *testing.T) {
	seen := 0
	Tree().Walk(func(k *Key) {
		seen++
		if k.Doc == "" || k.Example == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: no doc, or no example", k.Path)
		}
		if k.Required == (k.Default != "") {
			t.Errorf("%s: a key is required or has a default", k.Path)
		}
		if len(k.Keys) == 0 && k.Scalar == nil {
			t.Errorf("%s: neither keys nor a kind of value", k.Path)
		}
		d, _ := decode("example", []byte(exampleAt(k)))
		for _, p := range d.problems {
			if strings.HasPrefix(generic(p.Path), generic(k.Path)) {
				t.Errorf("the example of %s is wrong: %s: %s", k.Path, p.Path, p.Message)
			}
		}
		got, near := Explain(k.Path)
		if got == nil || got.Path != k.Path {
			t.Errorf("Explain(%s) = %v, %v", k.Path, got, near)
		}
	})
	if seen < 35 {
		t.Errorf("only %d keys seen", seen)
	}
}

// exampleAt is a file in which the example of a key stands in its place.
func exampleAt(k *Key) string {
	parts := strings.Split(k.Path, ".")
	var b strings.Builder
	indent := ""
	for _, p := range parts[:len(parts)-1] {
		name, isList := strings.CutSuffix(p, "[]")
		if name == "NAME" {
			name = "n1"
		}
		b.WriteString(indent + name + ":\n")
		indent += "  "
		if isList {
			b.WriteString(indent + "-\n")
			indent += "  "
		}
	}
	for _, line := range strings.Split(k.Example, "\n") {
		b.WriteString(indent + line + "\n")
	}
	return b.String()
}

// generic takes indices and the name of the test's own entry out of a path.
func generic(path string) string {
	path = indexRegexp.ReplaceAllString(path, "")
	return strings.ReplaceAll(strings.ReplaceAll(path, ".NAME", ""), ".n1", "")
}

func TestExplain(t *testing.T) {
	for _, tc := range []struct {
		path, want, near string
	}{
		{"site", "site", ""},
		{"networks.vdi.subnet", "networks.NAME.subnet", ""},
		{"networks.subnet", "networks.NAME.subnet", ""},
		{"networks.vdi.reservations[3].mac", "networks.NAME.reservations[].mac", ""},
		{"boot[0].when.arch", "boot[].when.arch", ""},
		{" boot.when ", "boot[].when", ""},
		{"nodes.boot1", "nodes", ""},
		{"boot.arch", "", "boot[].when.arch"},
		{"networks.vdi.subnt", "", "networks.NAME.subnet"},
		{"tftp.max_transfer", "", "tftp.max_transfers"},
		{"listen", "", "tftp.listen"},
		{"networks.a.b.subnet", "", "networks.NAME.subnet"},
		{"", "", "site"},
		{"...", "", "site"},
	} {
		k, near := Explain(tc.path)
		switch {
		case tc.want == "" && (k != nil || len(near) == 0 || near[0] != tc.near):
			t.Errorf("Explain(%q) = %v, %q, want near %s", tc.path, k, near, tc.near)
		case tc.want != "" && (k == nil || k.Path != tc.want):
			t.Errorf("Explain(%q) = %v, %q, want %s", tc.path, k, near, tc.want)
		}
	}
}

// Every key of the table is read: a value of the wrong shape is refused in its place.
func TestEveryKeyIsRead(t *testing.T) {
	Tree().Walk(func(k *Key) {
		wrong := *k
		wrong.Example = k.Name + ": {surely: {not: right}}"
		if k.Form == FormNamed {
			wrong.Example = k.Name + ": [[]]"
		}
		d, _ := decode("wrong", []byte(exampleAt(&wrong)))
		for _, p := range d.problems {
			if strings.HasPrefix(generic(p.Path), generic(k.Path)) {
				return
			}
		}
		t.Errorf("%s is not read: nothing is said of\n%s", k.Path, exampleAt(&wrong))
	})
}
