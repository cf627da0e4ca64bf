package publish

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"

	"surefoot/internal/files"
)

// carryOut does what was planned. Until the links change, nothing of it is served; if it fails
// before that, nothing of it stays.
func (r *Root) carryOut(ctx context.Context, src *os.Root, list, loose []part, o Options, p *Published) (err error) {
	r.step("make " + files.VersionsDir)
	if err := r.mkdir(files.VersionsDir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	held, err := r.lock()
	if err != nil {
		return err
	}
	defer held.Close()
	if err := r.sweep(); err != nil {
		return err
	}
	if err := r.room(total(list) + total(loose)); err != nil {
		return err
	}
	now, err := r.State() // perhaps somebody was quicker
	if err != nil {
		return err
	}
	before := p.Previous
	if p.Adopted != "" {
		before = ""
	}
	if now.Current != before || now.Has(p.ID) {
		return errors.New("somebody else published meanwhile: try again")
	}
	made := []string{}
	defer func() {
		if err != nil {
			for _, id := range made {
				r.discard(id)
			}
		}
	}()
	c := &counter{total: total(list) + total(loose), tell: o.Progress}
	var old Manifest
	if p.Adopted != "" {
		made = append(made, p.Adopted)
		if old, err = r.build(ctx, r.root, loose, Manifest{ID: p.Adopted, Time: o.Now.UTC(), Note: "the files that lay in the root"}, c); err != nil {
			return err
		}
	} else if p.Previous != "" {
		old, _ = r.Manifest(p.Previous) // to compare with; without it nothing is the same
	}
	made = append(made, p.ID)
	// A little later than what was adopted, so that lists have the right order.
	m, err := r.build(ctx, src, list, Manifest{ID: p.ID, Time: o.Now.UTC().Add(1), Note: o.Note}, c)
	if err != nil {
		return err
	}
	p.Digest, p.Same = m.Digest, m.Digest == old.Digest
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.change(p.Previous, p.ID); err != nil {
		if id, _ := files.Linked(r.root, files.CurrentLink); id != p.ID {
			return err
		}
	}
	made = nil // from here on it is served
	if p.Adopted != "" {
		p.Left = r.clear(loose)
	}
	return r.prune(p.Removed)
}

// build makes a version that nobody is led to yet: under another name until it is whole.
func (r *Root) build(ctx context.Context, src *os.Root, list []part, m Manifest, c *counter) (Manifest, error) {
	tmp := path.Join(files.VersionsDir, tmpNew+m.ID)
	var err error
	if m.Files, err = r.copyTree(ctx, src, list, tmp, c); err != nil {
		return m, err
	}
	m.Digest = Digest(m.Files)
	if err := r.writeManifest(m); err != nil {
		return m, err
	}
	r.step("put " + m.ID + " into its place")
	if err := r.root.Rename(tmp, versionDir(m.ID)); err != nil {
		return m, err
	}
	return m, r.sync(files.VersionsDir)
}

// discard removes what there is of a version that was not finished.
func (r *Root) discard(id string) {
	for _, name := range []string{versionDir(id), manifestFile(id), path.Join(files.VersionsDir, tmpNew+id), path.Join(files.VersionsDir, tmpNew+id+".json")} {
		_ = r.root.RemoveAll(name)
	}
}

// sweep removes what publishers that died have left: nothing leads to it.
func (r *Root) sweep() error {
	list, err := readDir(r.root, files.VersionsDir)
	if err != nil {
		return err
	}
	for _, e := range list {
		id, isManifest := cutJSON(e.Name())
		if isManifest {
			_, err := r.root.Lstat(versionDir(id))
			isManifest = errors.Is(err, fs.ErrNotExist) && files.IsVersion(id)
		}
		if !leftover(e.Name()) && !isManifest {
			continue
		}
		r.step("sweep " + e.Name())
		if err := r.root.RemoveAll(path.Join(files.VersionsDir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func cutJSON(name string) (string, bool) {
	if path.Ext(name) != ".json" {
		return "", false
	}
	return name[:len(name)-len(".json")], true
}

// prune removes versions. They vanish from the list first: one that is half removed is no version.
func (r *Root) prune(ids []string) error {
	for _, id := range ids {
		tmp := path.Join(files.VersionsDir, tmpOld+id)
		r.step("take " + id + " away")
		if err := r.root.Rename(versionDir(id), tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		r.step("remove " + id)
		if err := errors.Join(r.root.RemoveAll(manifestFile(id)), r.root.RemoveAll(tmp)); err != nil {
			return err
		}
	}
	return nil
}

// clear removes loose files that are in a version now, and returns what stays: what was changed
// since it was copied, and the folders around it.
func (r *Root) clear(loose []part) (left []string) {
	for _, p := range slices.Backward(loose) { // what is in a folder before the folder
		fi, err := r.root.Lstat(p.name)
		same := err == nil && fi.Mode() == p.mode && (p.mode.IsDir() || fi.Size() == p.size && fi.ModTime().Equal(p.mod))
		if same {
			r.step("remove the loose " + p.name)
			err = r.root.Remove(p.name)
		}
		if !same || err != nil {
			left = append(left, p.name)
		}
	}
	slices.Sort(left)
	return left
}
