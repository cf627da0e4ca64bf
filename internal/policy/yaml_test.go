package policy

import (
	"bytes"
	"strings"
	"testing"

	"surefoot/internal/cli"
)

// TestYAMLBlocksAreSiteFiles checks every YAML block of the documents as a person would, with
// `surefoot config check -`. The reference of the site file is made of fragments and has tests
// of its own.
func TestYAMLBlocksAreSiteFiles(t *testing.T) {
	blocks := 0
	check := func(where, text string) {
		blocks++
		var out, errs bytes.Buffer
		code := cli.Main(t.Context(), []string{"config", "check", "-"}, cli.Env{
			In: strings.NewReader(text), Out: &out, Err: &errs, Getenv: func(string) string { return "" },
		})
		if code != cli.ExitOK {
			t.Errorf("%s: exit %d\n%s%s\n%s", where, code, out.String(), errs.String(), text)
		}
	}
	for doc, text := range markdown(t) {
		if doc == "docs/config.md" {
			continue
		}
		for _, m := range fenceRE.FindAllStringSubmatch(text, -1) {
			if m[1] == "yaml" {
				check(doc, m[2])
			}
		}
	}
	check("packaging/surefoot.yaml", readTree(t, "packaging/surefoot.yaml"))
	if blocks < 3 {
		t.Errorf("only %d YAML blocks found: the search is wrong", blocks)
	}
}
