package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// No file makes Parse panic or take long. What it accepts means the same when it is written out
// and read again; what it refuses has a place in the file.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.yaml", "testdata/reference.yaml"} {
		list, err := filepath.Glob(pattern)
		if err != nil || len(list) == 0 {
			f.Fatalf("%s: no seeds (%v)", pattern, err)
		}
		for _, path := range list {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checked := bounded(t, data)
		if checked != nil {
			var e *Errors
			if !errors.As(checked, &e) || len(e.Problems) == 0 || len(e.Problems) > maxProblems {
				t.Fatalf("refused without problems: %v", checked)
			}
			for _, p := range e.Problems {
				if p.Line < 1 || p.Column < 1 || p.Message == "" {
					t.Errorf("problem %+v", p)
				}
			}
			return
		}
		_, file := decode("f", data)
		o := Options{Node: file.nodes[0].name}
		c, err := Parse("f", data, o)
		if err != nil {
			t.Fatalf("Check accepts what Parse refuses: %v", err)
		}
		again, err := Parse("f", c.YAML(), o)
		if err != nil {
			t.Fatalf("the effective file does not load: %v\n%s", err, c.YAML())
		}
		if d := cmp.Diff(c, again, sameValues); d != "" {
			t.Errorf("the effective file means something else (-first +again):\n%s", d)
		}
	})
}
