package publish

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"time"

	"surefoot/internal/files"
)

// Manifest says what a version consists of. Fields are only ever added.
type Manifest struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"` // when it was published
	Note   string    `json:"note,omitempty"`
	Digest string    `json:"digest"` // over all files: see Digest
	Files  []Item    `json:"files"`  // by name
}

// Item is one file of a tree.
type Item struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"` // of the content; "" of a link to a directory
	Link   string `json:"link,omitempty"`   // where it leads to, if it is a link
}

// Digest is one hash over all files: the SHA-256 of a line for each, in the order of their names:
// hash, two spaces, name. What `sha256sum` prints for the files, sorted by name, has the same one.
// Trees with the same names and the same bytes have the same digest, on whatever node, under
// whatever version.
func Digest(list []Item) string {
	h := sha256.New()
	for _, it := range list {
		what := it.SHA256
		if what == "" {
			what = "link:" + it.Link
		}
		fmt.Fprintf(h, "%s  %s\n", what, it.Name)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func sortItems(list []Item) {
	slices.SortFunc(list, func(a, b Item) int { return cmp.Compare(a.Name, b.Name) })
}

// Bytes is the size of all files together. What a link leads to is not counted twice.
func Bytes(list []Item) int64 {
	var n int64
	for _, it := range list {
		if it.Link == "" {
			n += it.Size
		}
	}
	return n
}

func versionDir(id string) string   { return path.Join(files.VersionsDir, id) }
func manifestFile(id string) string { return versionDir(id) + ".json" }

// maxManifest bounds what is read as a manifest.
const maxManifest = 256 << 20

// Manifest reads the manifest of a version.
func (r *Root) Manifest(id string) (Manifest, error) {
	name := manifestFile(id)
	fail := func(err error) (Manifest, error) {
		return Manifest{}, &Error{Do: "read the manifest " + path.Join(r.dir, name), Err: plain(err)}
	}
	f, err := r.root.Open(name)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return fail(err)
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return fail(err)
	}
	switch {
	case m.ID != id:
		return fail(fmt.Errorf("it is that of version %.80q", m.ID))
	case m.Digest != Digest(m.Files):
		return fail(fmt.Errorf("its digest is not that of its files: it was changed or is damaged"))
	}
	return m, nil
}

// writeManifest writes it beside its version, whole or not at all.
func (r *Root) writeManifest(m Manifest) error {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	tmp := path.Join(files.VersionsDir, tmpNew+m.ID+".json")
	r.step("write the manifest of " + m.ID)
	f, err := r.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Chmod(0o644) // whatever the umask
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	r.step("put the manifest of " + m.ID + " into its place")
	return r.root.Rename(tmp, manifestFile(m.ID))
}
