package policy

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// impure are calls of packages of which other parts are pure (durations, addresses).
var impure = map[string][]string{
	"time": {"Now", "Since", "Until", "After", "Sleep", "NewTimer", "NewTicker", "Tick", "AfterFunc"},
	"net":  {"Listen", "Dial", "Interface", "Lookup", "Resolve", "File"},
}

// impureCalls returns where a file reads the clock, waits, or asks the network.
func impureCalls(f goFile) []string {
	var out []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := sel.X.(*ast.Ident)
		if ok && slices.ContainsFunc(impure[pkg.Name], func(p string) bool { return strings.HasPrefix(sel.Sel.Name, p) }) {
			out = append(out, f.position(sel.Pos())+": uses "+pkg.Name+"."+sel.Sel.Name)
		}
		return true
	})
	return out
}

func TestPackagesHaveComments(t *testing.T) {
	comment := map[string]string{}
	for _, f := range goFiles(t) {
		if _, seen := comment[f.dir]; !seen {
			comment[f.dir] = ""
		}
		if f.ast.Doc != nil && (!f.test || comment[f.dir] == "") {
			comment[f.dir] = f.ast.Doc.Text()
		}
	}
	for dir, text := range comment {
		switch {
		case text == "":
			t.Errorf("%s: no file has a package comment (what it is, what it is not, its RFC)", dir)
		case len(strings.Fields(text)) < 8:
			t.Errorf("%s: the package comment says too little: %q", dir, text)
		}
	}
}

func TestNamesSaySomething(t *testing.T) {
	empty := []string{"util", "utils", "common", "helper", "helpers", "misc", "base", "shared", "engine", "types", "lib"}
	for _, f := range goFiles(t) {
		if slices.Contains(empty, path.Base(f.dir)) || slices.Contains(empty, f.ast.Name.Name) {
			t.Errorf("%s: a package named %s collects code and says nothing", f.path, f.ast.Name.Name)
		}
		if slices.Contains(empty, strings.TrimSuffix(path.Base(f.path), ".go")) {
			t.Errorf("%s: the file's name says nothing", f.path)
		}
	}
}

func TestNoInit(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: init runs because of an import; say it in app or in a test", f.position(fn.Pos()))
			}
		}
	}
}

// Files hold one idea, in about 150 lines. The limit leaves room for a long table.
func TestFilesAreSmall(t *testing.T) {
	const limit = 400
	for _, f := range goFiles(t) {
		if f.test || generated(f) {
			continue
		}
		if n := f.fset.File(f.ast.Pos()).LineCount(); n > limit {
			t.Errorf("%s: %d lines; a file holds one idea, in about 150 lines and never more than %d", f.path, n, limit)
		}
	}
}

func generated(f goFile) bool { return ast.IsGenerated(f.ast) }

// Only main and cli leave the process; everybody else returns an error.
func TestOnlyMainExits(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || f.ast.Name.Name == "main" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				pkg, _ := sel.X.(*ast.Ident)
				if pkg != nil && (pkg.Name == "os" && sel.Sel.Name == "Exit" || pkg.Name == "log" && strings.HasPrefix(sel.Sel.Name, "Fatal")) {
					t.Errorf("%s: %s.%s: only main exits", f.position(n.Pos()), pkg.Name, sel.Sel.Name)
				}
			}
			return true
		})
	}
}

// TestNoChangingPackageVariables looks at each package-level variable: it has a value from the
// start, is no lock or counter, and nothing in its package assigns to it.
func TestNoChangingPackageVariables(t *testing.T) {
	vars := map[string]map[string]bool{} // folder → names
	var product []goFile
	for _, f := range goFiles(t) {
		if f.test || generated(f) {
			continue
		}
		product = append(product, f)
		for _, d := range f.ast.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, s := range gen.Specs {
				spec := s.(*ast.ValueSpec)
				embedded := hasEmbed(gen.Doc) || hasEmbed(spec.Doc)
				if len(spec.Values) == 0 && !embedded {
					t.Errorf("%s: a package variable without a value is there to be changed", f.position(spec.Pos()))
				}
				if sel, ok := spec.Type.(*ast.SelectorExpr); ok {
					if pkg, _ := sel.X.(*ast.Ident); pkg != nil && (pkg.Name == "sync" || pkg.Name == "atomic") {
						t.Errorf("%s: state for the whole process", f.position(spec.Pos()))
					}
				}
				for _, name := range spec.Names {
					if vars[f.dir] == nil {
						vars[f.dir] = map[string]bool{}
					}
					vars[f.dir][name.Name] = name.Name != "_"
				}
			}
		}
	}
	for _, f := range product {
		for _, at := range assignments(f, vars[f.dir]) {
			t.Errorf("%s: assigns to a package variable", at)
		}
	}
}

func hasEmbed(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed") })
}

// assignments returns where a file assigns to one of the package's variables or to a part of it.
// A name that the parser resolved to something local is not meant.
func assignments(f goFile, vars map[string]bool) []string {
	var out []string
	check := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
				continue
			case *ast.SelectorExpr:
				e = x.X
				continue
			case *ast.ParenExpr:
				e = x.X
				continue
			case *ast.Ident:
				if vars[x.Name] && packageLevel(f, x) {
					out = append(out, f.position(x.Pos()))
				}
			}
			return
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch s := n.(type) {
		case *ast.AssignStmt:
			for _, e := range s.Lhs {
				if s.Tok != token.DEFINE {
					check(e)
				}
			}
		case *ast.IncDecStmt:
			check(s.X)
		}
		return true
	})
	return out
}

// packageLevel reports whether a name means a declaration of the package: of another file (not
// resolved by the parser) or of this file's top level.
func packageLevel(f goFile, x *ast.Ident) bool {
	if x.Obj == nil { //nolint:staticcheck // the parser's own resolution is enough here
		return true
	}
	return f.ast.Scope.Lookup(x.Name) == x.Obj //nolint:staticcheck // see above
}
