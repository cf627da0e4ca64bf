package publish

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"surefoot/internal/files"
)

// Version is one version as a list shows it.
type Version struct {
	ID       string    `json:"id"`
	Current  bool      `json:"current"`
	Previous bool      `json:"previous"`
	Time     time.Time `json:"time,omitzero"`
	Note     string    `json:"note,omitempty"`
	Files    int       `json:"files"`
	Bytes    int64     `json:"bytes"`
	Digest   string    `json:"digest,omitempty"`
	Error    string    `json:"error,omitempty"` // why nothing is known of it
}

// State is what a root holds.
type State struct {
	Root     string    `json:"root"`
	Current  string    `json:"current"`  // "" if the root has no versions
	Previous string    `json:"previous"` // "" if there is none
	Versions []Version `json:"versions"` // the newest first
	Loose    []string  `json:"loose,omitempty"`
}

// The beginnings of the names of what is on its way in or out. No version has such a name.
const (
	tmpNew = ".new-"
	tmpOld = ".old-"
)

// ours reports whether a name at the top of a root belongs to the versions.
func ours(name string) bool {
	return name == files.VersionsDir || name == files.CurrentLink || name == files.PreviousLink || leftover(name)
}

func leftover(name string) bool {
	return strings.HasPrefix(name, tmpNew) || strings.HasPrefix(name, tmpOld)
}

// State reads what is there. Loose is what lies at the top beside the versions.
func (r *Root) State() (State, error) {
	st := State{Root: r.dir, Versions: []Version{}}
	fail := func(err error) (State, error) {
		return st, &Error{Do: "read the root " + r.dir, Err: plain(err)}
	}
	top, err := readDir(r.root, ".")
	if err != nil {
		return fail(err)
	}
	for _, e := range top {
		if !ours(e.Name()) {
			st.Loose = append(st.Loose, e.Name())
		}
	}
	for _, l := range []struct {
		name string
		id   *string
	}{{files.CurrentLink, &st.Current}, {files.PreviousLink, &st.Previous}} {
		id, ok := files.Linked(r.root, l.name)
		if *l.id = id; ok {
			continue
		}
		*l.id = ""
		if _, err := r.root.Lstat(l.name); !errors.Is(err, fs.ErrNotExist) {
			st.Loose = append(st.Loose, l.name)
		}
	}
	list, err := readDir(r.root, files.VersionsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(fmt.Errorf("%s: %w", files.VersionsDir, plain(err)))
	}
	for _, e := range list {
		if !e.IsDir() || !files.IsVersion(e.Name()) {
			continue
		}
		v := Version{ID: e.Name(), Current: e.Name() == st.Current, Previous: e.Name() == st.Previous}
		if m, err := r.Manifest(v.ID); err != nil {
			v.Error = err.Error()
		} else {
			v.Time, v.Note, v.Files, v.Bytes, v.Digest = m.Time, m.Note, len(m.Files), Bytes(m.Files), m.Digest
		}
		st.Versions = append(st.Versions, v)
	}
	slices.SortFunc(st.Versions, func(a, b Version) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.ID, a.ID)) })
	return st, nil
}

// Has reports whether there is a version of this name.
func (s State) Has(id string) bool {
	return slices.ContainsFunc(s.Versions, func(v Version) bool { return v.ID == id })
}

// IDs lists the versions, the newest first.
func (s State) IDs() []string {
	var out []string
	for _, v := range s.Versions {
		out = append(out, v.ID)
	}
	return out
}

// Served returns the directory that is served.
func (s State) Served() string {
	if s.Current == "" {
		return s.Root
	}
	return path.Join(s.Root, versionDir(s.Current))
}
