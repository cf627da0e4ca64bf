package publish

import (
	"path"

	"surefoot/internal/files"
)

// change makes a version the current one, and the one before it the previous one. Whoever serves
// goes by "current" alone, which one rename(2) sets: before it the old version is served, behind
// it the new one. If the machine dies in between, "previous" leads to what "current" leads to.
func (r *Root) change(from, to string) error {
	if from != "" {
		if err := r.link(files.PreviousLink, from); err != nil {
			return err
		}
	}
	if err := r.link(files.CurrentLink, to); err != nil {
		return err
	}
	return r.sync(".")
}

// link makes a link at the top lead to a version, at one blow.
func (r *Root) link(name, id string) error {
	tmp := tmpNew + name
	r.step("make a link to " + id + " for " + name)
	_ = r.root.Remove(tmp) // of somebody who died here
	if err := r.root.Symlink(path.Join(files.VersionsDir, id), tmp); err != nil {
		return err
	}
	r.step("let " + name + " lead to " + id)
	return r.root.Rename(tmp, name)
}
