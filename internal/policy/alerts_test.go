package policy

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"surefoot/internal/alert"
)

// warningRE finds the name of a warning where one is given.
var warningRE = regexp.MustCompile(`\badd\("([a-z0-9-]+)"|\bcode: "([a-z0-9-]+)"`)

// What is told to people has a place where they read what to do.
func TestAlertsAndWarningsAreExplained(t *testing.T) {
	prose, _, _ := strings.Cut(readTree(t, reasonsDoc), tableBegin)
	names := map[string]string{}
	for _, c := range alert.Codes() {
		names[string(c)] = "alert"
	}
	warnings := 0
	for _, f := range treeFiles(t) {
		if !strings.HasPrefix(f, "internal/app/") || strings.HasSuffix(f, "_test.go") {
			continue
		}
		for _, m := range warningRE.FindAllStringSubmatch(readTree(t, f), -1) {
			names[m[1]+m[2]] = "warning"
			warnings++
		}
	}
	if warnings < 15 {
		t.Errorf("only %d warnings found in internal/app: the search is wrong", warnings)
	}
	for name, kind := range names {
		if !strings.Contains(prose, "`"+name+"`") {
			t.Errorf("%s: no section speaks of the %s `%s`", reasonsDoc, kind, name)
		}
	}
}

// Codes lists every constant: what it leaves out would be told and explained nowhere.
func TestAlertCodesAreComplete(t *testing.T) {
	found := regexp.MustCompile(`(?m)^\s+\w+\s+Code = "([a-z0-9-]+)"`).FindAllStringSubmatch(readTree(t, "internal/alert/alert.go"), -1)
	if len(found) != len(alert.Codes()) {
		t.Errorf("%d constants, and %d codes", len(found), len(alert.Codes()))
	}
	for _, m := range found {
		if !slices.Contains(alert.Codes(), alert.Code(m[1])) {
			t.Errorf("Codes lacks %s", m[1])
		}
	}
}
