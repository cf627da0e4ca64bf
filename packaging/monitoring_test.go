package packaging

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// promtool is Prometheus' own judge of rules; scripts/setup unpacks it into the tree's cache.
func promtool(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"promtool", "../.cache/oracles/usr/bin/promtool"} {
		if p, err := exec.LookPath(path); err == nil {
			return p
		}
	}
	missing(t, "promtool is not there (scripts/setup test)")
	return ""
}

// metricNames are the values of all constants of the product whose name begins with Metric.
func metricNames(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir("../internal", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 || !strings.HasPrefix(v.Names[0].Name, "Metric") {
				return true
			}
			if lit, ok := v.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					out = append(out, s)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || len(out) < 30 {
		t.Fatalf("%d metrics found: %v", len(out), err)
	}
	return out
}

var metricRE = regexp.MustCompile(`\b(?:surefoot|probe)_[a-z_]+\b`)

// known fails for each metric of a text that the program does not have.
func known(t *testing.T, names []string, what, text string) {
	t.Helper()
	found := 0
	for _, m := range metricRE.FindAllString(text, -1) {
		base := m
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, suffix)
		}
		found++
		if !slices.Contains(names, m) && !slices.Contains(names, base) {
			t.Errorf("%s names %s, which does not exist", what, m)
		}
	}
	if found == 0 {
		t.Errorf("%s names no metric: the search is wrong", what)
	}
}

func TestPrometheusRules(t *testing.T) {
	const file = "prometheus/surefoot.rules.yml"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	known(t, metricNames(t), file, string(b))
	tool := promtool(t)
	if out := command(t, tool, "check", "rules", file); !strings.Contains(out, "SUCCESS") {
		t.Error(out)
	}
	command(t, tool, "test", "rules", "testdata/rules_test.yml")

	// The judge itself: a broken rule is refused.
	bad := filepath.Join(t.TempDir(), "bad.yml")
	if err := os.WriteFile(bad, []byte(strings.Replace(string(b), "surefoot_ready == 0", "surefoot_ready ==", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "check", "rules", bad).CombinedOutput(); err == nil {
		t.Errorf("a broken rule passes:\n%s", out)
	}
}

// dashboard is what the test reads of Grafana's file.
type dashboard struct {
	Title, UID string
	Panels     []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr string }
	}
}

func TestGrafanaDashboard(t *testing.T) {
	const file = "grafana/surefoot.json"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	names := metricNames(t)
	taken := map[[2]int]int{} // cell of the grid → panel
	ids := map[int]bool{}
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	exprs := 0
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the number %d", p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.X < 0 || g.X+g.W > 24 || g.H < 1 {
			t.Errorf("%s reaches over the edge: %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != 0 {
					t.Fatalf("%s lies over panel %d", p.Title, other)
				}
				taken[[2]int{x, y}] = p.ID
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			known(t, names, file+": "+p.Title, target.Expr)
			exprs++
			fmt.Fprintf(&rules, "      - {record: 'x:%d', expr: %s}\n", exprs, strconv.Quote(target.Expr))
		}
	}
	if d.Title == "" || d.UID == "" || exprs < 10 {
		t.Errorf("%q, %q, %d expressions", d.Title, d.UID, exprs)
	}
	path := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(path, []byte(rules.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, promtool(t), "check", "rules", path)
}
