package publish

import (
	"path"
	"slices"
	"strings"

	"surefoot/internal/files"
)

// throughLinks follows links to directories within a name: only their ends are items.
func throughLinks(name string, byName map[string]Item, key func(string) string) string {
	for range 40 { // as many as Linux follows
		dir := name
		for dir = path.Dir(dir); dir != "."; dir = path.Dir(dir) {
			if it, ok := byName[dir]; ok && it.Link != "" && it.SHA256 == "" {
				name = key(path.Join(path.Dir(it.Name), it.Link, strings.TrimPrefix(name, dir)))
				break
			}
		}
		if dir == "." {
			break
		}
	}
	return name
}

// Wanted lists the names that clients may ask a server for, and what they have to get: every file,
// and what the entries of the site file add. Skipped are names whose text is made for each client:
// there is no one content to compare with.
func (ref Reference) Wanted(patterns []string, entries []files.Entry, fold bool) (want []Wanted, skipped []string) {
	key := func(name string) string {
		if fold {
			return strings.ToLower(path.Clean(name))
		}
		return path.Clean(name)
	}
	byName := map[string]Item{}
	for _, it := range slices.Backward(ref.Items) { // of two that differ in case only the first counts
		byName[key(it.Name)] = it
	}
	taken := map[string]bool{}
	for _, e := range entries {
		if !e.Exact() || taken[key(e.Name)] {
			continue
		}
		taken[key(e.Name)] = true
		it, ok := byName[throughLinks(key(e.File), byName, key)]
		switch {
		case !Match(patterns, e.Name):
		case e.Template != "":
			skipped = append(skipped, e.Name)
		case ok && it.SHA256 != "":
			want = append(want, Wanted{Name: e.Name, SHA256: it.SHA256, Size: it.Size})
		}
	}
	for _, it := range ref.Items {
		if it.SHA256 != "" && !taken[key(it.Name)] && Match(patterns, it.Name) {
			want = append(want, Wanted{Name: it.Name, SHA256: it.SHA256, Size: it.Size})
		}
	}
	slices.SortFunc(want, func(a, b Wanted) int { return strings.Compare(a.Name, b.Name) })
	return want, skipped
}
