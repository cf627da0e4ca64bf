package policy

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// markdown returns every document of the tree: path → text.
func markdown(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, f := range treeFiles(t) {
		if strings.HasSuffix(f, ".md") {
			out[f] = readTree(t, f)
		}
	}
	if len(out) < 5 {
		t.Fatalf("only %d documents found: the walk is wrong", len(out))
	}
	return out
}

var (
	linkRE  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fenceRE = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```")
	codeRE  = regexp.MustCompile("`([^`\n]+)`")
	headRE  = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

func TestLinksLeadSomewhere(t *testing.T) {
	links := 0
	docs := markdown(t)
	for doc, text := range docs {
		for _, m := range linkRE.FindAllStringSubmatch(fenceRE.ReplaceAllString(text, ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			to := doc
			if target != "" {
				to = path.Join(path.Dir(doc), target)
			}
			if _, err := os.Stat(filepath.Join(treeRoot(t), to)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", doc, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(docs[to]), anchor) {
				t.Errorf("%s: %s has no heading for #%s", doc, to, anchor)
			}
		}
	}
	if links < 10 {
		t.Errorf("only %d links found: the search is wrong", links)
	}
}

// anchors returns the names that a heading is linked by: lower case, words joined by hyphens.
func anchors(text string) []string {
	var out []string
	for _, m := range headRE.FindAllStringSubmatch(fenceRE.ReplaceAllString(text, ""), -1) {
		var b strings.Builder
		for _, r := range strings.ToLower(m[1]) {
			switch {
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
				b.WriteRune(r)
			case r == ' ':
				b.WriteByte('-')
			}
		}
		out = append(out, b.String())
	}
	return out
}

// The README's parts, in the order in which a newcomer needs them.
func TestReadmeHasItsSections(t *testing.T) {
	text := readTree(t, "README.md")
	at := 0
	for _, want := range []string{
		"# Surefoot", "make run", "make test", "## See it work", "## Install", "## A first site file",
		"## What it does not do", "## Where next",
	} {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("README.md lacks %q, or has it too early", want)
		}
		at += i
	}
}

// Paths of one person's machine have no place in what everybody gets.
func TestNoMachinePaths(t *testing.T) {
	machine := regexp.MustCompile(`(^|[^A-Za-z0-9_.*$}{-])/(home|Users|root|work)/[A-Za-z0-9.]`)
	for _, f := range treeFiles(t) {
		if strings.Contains(f, "testdata/") || strings.HasSuffix(f, ".sum") {
			continue
		}
		for n, line := range strings.Split(readTree(t, f), "\n") {
			if m := machine.FindString(line); m != "" && f != "internal/policy/docs_test.go" {
				t.Errorf("%s:%d: %s is a path of one machine", f, n+1, strings.TrimSpace(m))
			}
		}
	}
}
