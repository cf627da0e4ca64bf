package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"surefoot/internal/files"
)

// Kind is in which way a file is not as it should be: a stable word.
type Kind string

// The kinds.
const (
	Missing      Kind = "missing"       // it should be there, and is not
	Changed      Kind = "changed"       // its content is another
	Extra        Kind = "extra"         // it is there, and should not be
	Unreadable   Kind = "unreadable"    // it cannot be read
	NotDelivered Kind = "not-delivered" // the server does not hand it out
	NotAsked     Kind = "not-asked"     // the server had stopped to answer before
)

// Difference is a file that is not as it should be.
type Difference struct {
	File     string `json:"file"`
	Kind     Kind   `json:"kind"`
	Expected string `json:"expected,omitempty"` // SHA-256, or the end of a link
	Found    string `json:"found,omitempty"`
	Text     string `json:"text,omitempty"` // the evidence
}

// Reference is what servers are compared with.
type Reference struct {
	Root     string `json:"root"`
	Version  string `json:"version,omitempty"` // "" if the root has none
	Manifest bool   `json:"manifest"`          // there is one; else the files here are the measure
	Digest   string `json:"digest"`            // over Items
	Items    []Item `json:"-"`                 // as they should be
	Files    int    `json:"files"`             // of Items
	Bytes    int64  `json:"bytes"`             // of Items
	Local    Local  `json:"local"`             // how they are here
}

// Local is how the files of this machine compare with the manifest.
type Local struct {
	OK          bool         `json:"ok"`
	Differences []Difference `json:"differences"`
}

// Verify reads every file of a version ("" for what is served) and compares it with the manifest.
// Without versions, what is there is the measure for others and cannot be wrong.
func (r *Root) Verify(ctx context.Context, id string, tell Progress) (Reference, error) {
	ref := Reference{Root: r.dir, Local: Local{OK: true, Differences: []Difference{}}}
	fail := func(err error) (Reference, error) {
		return ref, &Error{Do: "verify " + r.dir, Err: plain(err)}
	}
	if id == "" {
		id, _ = files.Linked(r.root, files.CurrentLink)
	}
	ref.Version = id
	tree, err := r.tree(id)
	if err != nil {
		return fail(err)
	}
	defer tree.Close()
	var skip func(string) bool
	if id == "" {
		skip = func(name string) bool { return name == files.VersionsDir || leftover(name) }
	}
	parts, err := present(tree, skip)
	if err != nil {
		return fail(err)
	}
	c := &counter{total: total(parts), tell: tell}
	found, bad, err := hashAll(ctx, tree, parts, c)
	if err != nil {
		return fail(err)
	}
	ref.Items = found
	if id != "" {
		m, err := r.Manifest(id)
		if err != nil {
			return ref, err
		}
		ref.Manifest, ref.Items = true, m.Files
	}
	ref.Local.Differences = append(ref.Local.Differences, compare(ref.Items, found, bad, ref.Manifest)...)
	ref.Local.OK = len(ref.Local.Differences) == 0
	ref.Digest, ref.Files, ref.Bytes = Digest(ref.Items), len(ref.Items), Bytes(ref.Items)
	return ref, nil
}

// tree opens a version, or the root itself.
func (r *Root) tree(id string) (*os.Root, error) {
	if id == "" {
		return r.root.OpenRoot(".")
	}
	if !files.IsVersion(id) {
		return nil, fmt.Errorf("%q cannot be the name of a version", id)
	}
	t, err := r.root.OpenRoot(versionDir(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no version %s", id)
	}
	return t, err
}

// present is scan without a judgement: what is there is told, whatever it is.
func present(root *os.Root, skip func(string) bool) ([]part, error) {
	out, err := scan(root, skip)
	if out == nil && err != nil {
		return nil, err
	}
	return out, nil
}

// hashAll is hashTree for a tree in which something may be wrong: by name, what could not be read.
func hashAll(ctx context.Context, tree *os.Root, list []part, c *counter) ([]Item, map[string]string, error) {
	var items []Item
	bad := map[string]string{}
	for _, p := range list {
		if p.mode.IsDir() {
			continue
		}
		one, err := hashTree(ctx, tree, []part{p}, c)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			bad[p.name] = err.Error()
		case len(one) == 0:
			bad[p.name] = kindOf(p.mode)
		}
		items = append(items, one...)
	}
	sortItems(items)
	return items, bad, nil
}

// compare tells what differs. Of a tree without a manifest, only what cannot be read.
func compare(want, have []Item, bad map[string]string, manifest bool) []Difference {
	var out []Difference
	found := map[string]Item{}
	for _, it := range have {
		found[it.Name] = it
	}
	expected := map[string]bool{}
	for _, w := range want {
		expected[w.Name] = true
		h, ok := found[w.Name]
		switch text, unreadable := bad[w.Name]; {
		case unreadable:
			out = append(out, Difference{File: w.Name, Kind: Unreadable, Expected: w.SHA256, Text: text})
		case !ok:
			out = append(out, Difference{File: w.Name, Kind: Missing, Expected: w.SHA256})
		case h.SHA256 != w.SHA256:
			out = append(out, Difference{File: w.Name, Kind: Changed, Expected: w.SHA256, Found: h.SHA256, Text: sizes(w.Size, h.Size)})
		case h.Link != w.Link:
			out = append(out, Difference{File: w.Name, Kind: Changed, Expected: linkText(w), Found: linkText(h), Text: "what it is has changed, its content has not"})
		}
	}
	for _, h := range have {
		if !expected[h.Name] && manifest {
			out = append(out, Difference{File: h.Name, Kind: Extra, Found: h.SHA256})
		}
	}
	for name, text := range bad {
		if !expected[name] {
			out = append(out, Difference{File: name, Kind: Unreadable, Text: text})
		}
	}
	sortDifferences(out)
	return out
}

func linkText(it Item) string {
	if it.Link == "" {
		return "a file"
	}
	return "a link to " + it.Link
}

func sizes(want, have int64) string {
	if want == have {
		return fmt.Sprintf("%d bytes, as expected", have)
	}
	return fmt.Sprintf("%d bytes instead of %d", have, want)
}

// Match reports whether a name is among those that patterns mean: all, if there are none.
func Match(patterns []string, name string) bool {
	if len(patterns) == 0 {
		return true
	}
	for _, p := range patterns {
		if ok, err := path.Match(p, name); ok && err == nil || p == name {
			return true
		}
	}
	return false
}
