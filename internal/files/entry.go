package files

import (
	"path"
	"path/filepath"
	"strings"
)

// Entry gives a name to a file that is called otherwise, or to a text that is made for each
// client. What it stands for is looked up below the root as it is there, never among the entries:
// there is no going round in circles.
//
// The order: an entry for one name; a file that is there, or built in; an entry with a pattern.
// So an entry can stand before a file, and a file is the exception to a pattern. Among entries of
// one kind the first that matches counts.
type Entry struct {
	Name     string // path.Match pattern
	File     string // the path of a file,
	Template string // or else of a template
}

// Exact reports whether the entry is for one name.
func (e *Entry) Exact() bool { return !strings.ContainsAny(e.Name, `*?[\`) }

// Target is the path that the entry stands for.
func (e *Entry) Target() string {
	if e.Template != "" {
		return e.Template
	}
	return e.File
}

// entry finds the entry for a name, among those for one name or among those with a pattern.
func (r *Root) entry(name string, exact bool) *Entry {
	if len(r.entries) == 0 {
		return nil
	}
	name = strings.TrimLeft(name, "/")
	if r.fold {
		name = foldKey(slashed(name))
	}
	if !filepath.IsLocal(name) {
		return nil
	}
	name = path.Clean(name)
	for i := range r.entries {
		e := &r.entries[i]
		if e.Exact() != exact {
			continue
		}
		pattern := e.Name
		if r.fold {
			pattern = foldKey(pattern)
		}
		if ok, err := path.Match(pattern, name); ok && err == nil {
			return e
		}
	}
	return nil
}
