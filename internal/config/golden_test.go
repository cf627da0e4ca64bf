package config

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the expected output instead of comparing with it")

// compareGolden compares with a file, or writes it.
func compareGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

func testFiles(t *testing.T, pattern string, atLeast int) []string {
	t.Helper()
	list, err := filepath.Glob(pattern)
	if err != nil || len(list) < atLeast {
		t.Fatalf("%s: %d files, want %d or more (%v)", pattern, len(list), atLeast, err)
	}
	return list
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Every bad file is refused with exactly the text beside it, and every position is in the file.
func TestBad(t *testing.T) {
	for _, path := range testFiles(t, "testdata/bad/*.yaml", 25) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data := read(t, path)
			_, err := Check(filepath.Base(path), data, nil)
			var e *Errors
			if !errors.As(err, &e) {
				t.Fatalf("no problem found: %v", err)
			}
			lines := strings.Count(string(data), "\n") + 1
			for i, p := range e.Problems {
				if p.Line < 1 || p.Line > lines || p.Column < 1 {
					t.Errorf("%d:%d is not in the file", p.Line, p.Column)
				}
				if i > 0 && p.Line < e.Problems[i-1].Line {
					t.Errorf("line %d comes after line %d", p.Line, e.Problems[i-1].Line)
				}
				if p.Message == "" || p.Instead == "" && p.Remedy == "" && !strings.Contains(p.Message, " not ") {
					t.Errorf("%d:%d: %q says nothing of what to do", p.Line, p.Column, p.Message)
				}
			}
			compareGolden(t, strings.TrimSuffix(path, ".yaml")+".txt", []byte(e.Text()))
		})
	}
}

var sameValues = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}), cmpopts.EquateEmpty()}

// Every good file gives the effective file beside it, and that gives the same configuration.
func TestGood(t *testing.T) {
	for _, path := range testFiles(t, "testdata/good/*.yaml", 8) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data := read(t, path)
			if _, err := Check(path, data, nil); err != nil {
				t.Fatal(err)
			}
			_, f := decode(path, data)
			c, err := Parse("f", data, Options{Node: f.nodes[0].name})
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse("f", c.YAML(), Options{Node: f.nodes[0].name})
			if err != nil {
				t.Fatalf("the effective file does not load: %v\n%s", err, c.YAML())
			}
			if d := cmp.Diff(c, again, sameValues); d != "" {
				t.Errorf("the effective file means something else (-first +again):\n%s", d)
			}
			compareGolden(t, strings.TrimSuffix(path, ".yaml")+".effective", c.YAML())
		})
	}
}
