package efi

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Whatever code a person may see is explained, and no other is.
func TestCodesAreExplained(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/troubleshoot.md")
	if err != nil {
		t.Fatal(err)
	}
	find := func(pattern, text string) (codes []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			codes = append(codes, m[1])
		}
		slices.Sort(codes)
		return slices.Compact(codes)
	}
	sources, err := filepath.Glob("program/*.c")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, s := range sources {
		b, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	said, explained := find(`fail\("(E-[A-Z-]+)"`, all.String()), find("(?m)^- `(E-[A-Z-]+)`:", string(doc))
	if len(said) < 10 || !slices.Equal(said, explained) {
		t.Errorf("the program says\n%q, docs/troubleshoot.md explains\n%q", said, explained)
	}
}
