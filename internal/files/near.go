package files

import (
	"cmp"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/typo"
)

const (
	maxNear    = 3
	maxIndexed = 4096            // names looked at for a suggestion
	indexAge   = 2 * time.Second // how long one walk serves the misses that follow it
)

// index is a bounded list of what the root holds, nearest to the top first, for suggestions only.
type index struct {
	mu    sync.Mutex // guards the rest
	at    time.Time
	names []string
}

// near suggests names for one that nothing has: the same name elsewhere or in other case first,
// then a name one or two letters off, then one with the same extension in the same directory.
// The work is bounded whatever the size of the root.
func (r *Root) near(t *tree, name string) []string {
	want := path.Clean(slashed(name))
	if want == "." || len(want) > 255 {
		return nil
	}
	dir, base := path.Split(foldKey(want))
	type candidate struct {
		name  string
		score int
	}
	var found []candidate
	for _, n := range r.known(t) {
		ndir, nbase := path.Split(foldKey(n))
		ext := path.Ext(base)
		score := -1
		switch {
		case nbase == base:
			score = 0
		case typo.Distance(nbase, base, 2) <= allowed(base):
			score = 2 * typo.Distance(nbase, base, 2)
		case ndir == dir && ext != "" && path.Ext(nbase) == ext:
			score = 6
		default:
			continue
		}
		if ndir != dir {
			score++
		}
		found = append(found, candidate{n, score})
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.score, b.score) })
	var out []string
	for _, c := range found[:min(len(found), maxNear)] {
		out = append(out, c.name)
	}
	return out
}

// allowed is how many letters may be off in a name of this length.
func allowed(base string) int {
	if len(base) < 5 {
		return 1
	}
	return 2
}

// known lists what may be meant: built-in files, entries for one name, and what the tree holds.
func (r *Root) known(t *tree) []string {
	out := slices.Sorted(maps.Keys(r.builtin))
	for i := range r.entries {
		if e := &r.entries[i]; e.Exact() {
			out = append(out, e.Name)
		}
	}
	return append(out, t.indexed()...)
}

// indexed returns the names, from a walk that is at most indexAge old.
func (t *tree) indexed() []string {
	t.index.mu.Lock()
	defer t.index.mu.Unlock()
	if now := time.Now(); t.index.names == nil || now.Sub(t.index.at) > indexAge {
		t.index.names, t.index.at = t.walk(), now
	}
	return t.index.names
}

// walk lists files, a level of directories after the other, up to maxIndexed entries.
func (t *tree) walk() []string {
	out := make([]string, 0, 64)
	if t.root == nil {
		return out
	}
	left := maxIndexed
	for dirs := []string{"."}; len(dirs) > 0 && left > 0; dirs = dirs[1:] {
		d, err := t.root.OpenFile(dirs[0], os.O_RDONLY|unix.O_NONBLOCK|unix.O_DIRECTORY, 0)
		if err != nil {
			continue
		}
		entries, _ := d.ReadDir(left)
		_ = d.Close()
		left -= len(entries)
		slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		for _, e := range entries {
			n := path.Join(dirs[0], e.Name())
			switch {
			case strings.HasPrefix(e.Name(), Incomplete):
			case e.IsDir():
				dirs = append(dirs, n)
			case e.Type().IsRegular() || e.Type()&os.ModeSymlink != 0:
				out = append(out, n)
			}
		}
	}
	return out
}
