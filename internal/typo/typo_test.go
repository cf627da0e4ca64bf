package typo

import (
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b        string
		limit, want int
	}{
		{"", "", 2, 0},
		{"", "ab", 2, 2},
		{"timeout", "timeout", 2, 0},
		{"timeout", "timeuot", 2, 1}, // neighbours exchanged
		{"timeout", "timout", 2, 1},
		{"timeout", "timeoutt", 2, 1},
		{"timeout", "timeoot", 2, 1},
		{"abc", "xabcx", 2, 2},
		{"abc", "xyz", 2, 3},
		{"", "abcdef", 2, 3},
		{"ardbp32.bin", "adrbp23.bin", 2, 2},
		{"ca", "abc", 9, 3}, // restricted: what was exchanged is not changed again
		{"abcdef", "uvwxyz", 9, 6},
		{"abcdef", "uvwxyz", 2, 3}, // more than the limit is the limit and one
		{"a", "abcdefgh", 2, 3},
	} {
		if got := Distance(c.a, c.b, c.limit); got != c.want {
			t.Errorf("%q to %q within %d: %d, want %d", c.a, c.b, c.limit, got, c.want)
		}
		if got := Distance(c.b, c.a, c.limit); got != c.want {
			t.Errorf("%q to %q within %d: %d, want %d, as the other way round", c.b, c.a, c.limit, got, c.want)
		}
	}
}

// FuzzDistance: the limit cuts the result and changes nothing else, and both ways are as long.
func FuzzDistance(f *testing.F) {
	f.Add("boot1", "bot1", 2)
	f.Add("", "x", 0)
	f.Fuzz(func(t *testing.T, a, b string, limit int) {
		if len(a) > 100 || len(b) > 100 || limit < 0 || limit > 100 {
			return
		}
		whole := Distance(a, b, 100)
		if got := Distance(a, b, limit); got != min(whole, limit+1) {
			t.Errorf("within %d: %d, and without a limit %d", limit, got, whole)
		}
		if back := Distance(b, a, 100); back != whole {
			t.Errorf("%d there, %d back", whole, back)
		}
		if (whole == 0) != (a == b) || whole > max(len(a), len(b)) {
			t.Errorf("%q to %q: %d", a, b, whole)
		}
	})
}
