package files

import (
	"os"
	"testing"
)

// TestMoved: what counts is what stands at the path, not what is held.
func TestMoved(t *testing.T) {
	dir := makeTree(t, "a.0")
	r := open(t, dir, Options{})
	check := func(when string, want bool) {
		t.Helper()
		if got := r.Moved(); got != want {
			t.Errorf("%s: moved %v, want %v", when, got, want)
		}
	}
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	check("at first", false)
	rename(dir, dir+".old")
	check("with nothing there", true)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	check("with another one there", true)
	if got := content(t, r, "a.0"); got != "a.0" {
		t.Errorf("the one that is held reads %q", got)
	}
	rename(dir, dir+".new")
	rename(dir+".old", dir)
	check("with the same one there again", false)

	if open(t, "", Options{}).Moved() {
		t.Error("no directory moved")
	}
}
