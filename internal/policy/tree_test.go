package policy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the path before every import of our own.
const module = "surefoot/"

// goFile is one parsed Go file of the tree.
type goFile struct {
	path string // from the root of the tree, with slashes
	dir  string
	test bool
	ast  *ast.File
	fset *token.FileSet
}

func (f goFile) position(p token.Pos) string {
	at := f.fset.Position(p)
	at.Filename = f.path
	return at.String()
}

// imports returns the paths of the file's imports.
func (f goFile) imports() []string {
	var out []string
	for _, spec := range f.ast.Imports {
		out = append(out, strings.Trim(spec.Path.Value, `"`))
	}
	return out
}

// treeRoot is the folder that holds go.mod.
func treeRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatalf("looking for the root of the tree: %v", err)
	}
	return root
}

// treeFiles lists the files of the tree, without what git ignores at its root and without hidden
// folders other than .ci.
func treeFiles(t *testing.T) []string {
	t.Helper()
	root := treeRoot(t)
	var out []string
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if e.IsDir() {
			hidden := strings.HasPrefix(e.Name(), ".") && rel != "." && rel != ".ci"
			if hidden || slices.Contains([]string{"bin", "dist", "e2e/testdata/out"}, rel) {
				return filepath.SkipDir
			}
			return nil
		}
		out = append(out, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// goFiles parses every Go file of the tree.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	root := treeRoot(t)
	fset := token.NewFileSet()
	var out []goFile
	for _, rel := range treeFiles(t) {
		if !strings.HasSuffix(rel, ".go") || strings.Contains(rel, "testdata/") {
			continue
		}
		parsed, err := parser.ParseFile(fset, filepath.Join(root, rel), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		dir := rel[:max(0, strings.LastIndexByte(rel, '/'))]
		out = append(out, goFile{rel, dir, strings.HasSuffix(rel, "_test.go"), parsed, fset})
	}
	if len(out) < 10 {
		t.Fatalf("only %d Go files found: the walk is wrong", len(out))
	}
	return out
}

// readTree returns a file of the tree.
func readTree(t *testing.T, rel string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(treeRoot(t), rel))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
