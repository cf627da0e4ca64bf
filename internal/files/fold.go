package files

import (
	"path"
	"strings"
	"unicode/utf8"
)

// slashed turns backslashes into slashes and removes what stands before the first element.
func slashed(name string) string {
	s := strings.ReplaceAll(name, `\`, "/")
	for {
		switch {
		case strings.HasPrefix(s, "/"):
			s = s[1:]
		case strings.HasPrefix(s, "./"):
			s = s[2:]
		default:
			return s
		}
	}
}

// foldKey maps names that differ in case only to one key. Bytes that are no UTF-8 stay as they
// are, so that two different files never become one.
func foldKey(s string) string {
	if utf8.ValidString(s) {
		return strings.ToLower(s)
	}
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// resolve finds the real spelling of a clean relative path, element by element. An element that
// exists as written is taken as written.
func (t *tree) resolve(clean string) (string, bool) {
	if t.root == nil {
		return "", false
	}
	at := "."
	for elem := range strings.SplitSeq(clean, "/") {
		next := path.Join(at, elem)
		if _, err := t.root.Lstat(next); err == nil {
			at = next
			continue
		}
		real, ok := t.cache.find(t.root, at, foldKey(elem))
		if !ok {
			return "", false
		}
		at = path.Join(at, real)
	}
	return at, true
}
