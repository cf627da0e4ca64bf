// Package inbox takes files in: what machines upload by TFTP, such as crash dumps and
// configurations of switches. Only folders that somebody named take anything, each with its own
// rules. A file appears under its name when it is complete and on the disk, never before: it is
// written beside under a hidden name, and renamed.
//
// Every path goes through os.Root. It knows nothing of TFTP, and hands nothing out.
package inbox

import (
	"fmt"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"surefoot/internal/boot"
	"surefoot/internal/files"
)

// Folder is a directory below the root that takes files.
type Folder struct {
	Name      string         // below the root, "." for the root itself
	Overwrite bool           // a file that is there may be replaced
	MaxSize   int64          // bytes of one file; 0: DefaultMaxSize
	MaxTotal  int64          // bytes of all files of the folder; 0: no limit but the disk's
	From      []netip.Prefix // who may upload; none: everybody
}

// DefaultMaxSize is how large an upload may be where nobody says otherwise, in bytes.
const DefaultMaxSize = 100 << 20

// Inbox is the folders of a root that take files. It is safe for concurrent use.
type Inbox struct {
	root    *os.Root
	folders []*folder
}

// Open opens a root with the folders that take files, and removes what a process that died left
// incomplete there. A folder that is missing, or cannot be written to, is no error: a node whose
// upload folder is lost has machines to boot all the same. Troubles tells of it.
func Open(dir string, folders []Folder) (*Inbox, error) {
	b := &Inbox{}
	for _, f := range folders {
		switch {
		case f.Name == "" || !filepath.IsLocal(f.Name):
			return nil, fmt.Errorf("the upload folder %q is not below the root %s", f.Name, dir)
		case path.Clean(f.Name) == "." && f.Name != ".":
			return nil, fmt.Errorf("the upload folder %q is the root itself: call it \".\"", f.Name)
		case InVersions(f.Name):
			return nil, fmt.Errorf("the upload folder %s is part of the versions of the root, which do not change", f.Name)
		}
		if f.MaxSize <= 0 {
			f.MaxSize = DefaultMaxSize
		}
		f.Name = path.Clean(f.Name)
		if b.named(f.Name) != nil {
			return nil, fmt.Errorf("the upload folder %s is named twice", f.Name)
		}
		b.folders = append(b.folders, &folder{Folder: f})
	}
	var err error
	if b.root, err = os.OpenRoot(dir); err != nil {
		return nil, fmt.Errorf("open the root %s for uploads: %w", dir, cause(err))
	}
	for _, f := range b.folders {
		sweep(b.root, f.Name)
	}
	return b, nil
}

// InVersions reports whether a folder belongs to the versions of a root that has some: what is
// uploaded there would change what was published.
func InVersions(name string) bool {
	first, _, _ := strings.Cut(path.Clean(name), "/")
	return first == files.VersionsDir || first == files.CurrentLink || first == files.PreviousLink
}

// Close gives the root back. Uploads under way go on: each has its folder open.
func (b *Inbox) Close() error { return b.root.Close() }

func (b *Inbox) named(name string) *folder {
	for _, f := range b.folders {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// names lists the folders, cut where there are many.
func (b *Inbox) names() string {
	var out []string
	for _, f := range b.folders {
		out = append(out, f.Name)
	}
	s := strings.Join(out, ", ")
	if len(s) > 100 {
		s = s[:97] + "..."
	}
	return s
}

// maxBase bounds the name of an uploaded file, in bytes.
const maxBase = 200

// find finds the folder that a name leads to, and the name in it. Slashes are read as those of
// files that are handed out (F30), but the case counts: a folder is what somebody named.
func (b *Inbox) find(name string) (*folder, string, *Error) {
	clean := path.Clean(strings.TrimLeft(strings.ReplaceAll(name, `\`, "/"), "/"))
	if !filepath.IsLocal(clean) {
		return nil, "", refuse(boot.UploadFolder, "%.100q leads out of the root", name)
	}
	dir, base := path.Split(clean)
	f := b.named(path.Clean(dir))
	switch {
	case f == nil, clean == ".":
		return nil, "", refuse(boot.UploadFolder, "%.100q; the folders are %s", name, b.names())
	case strings.HasPrefix(base, "."), len(base) > maxBase, !utf8.ValidString(base), strings.ContainsFunc(base, unprintable):
		return nil, "", refuse(boot.UploadFolder, "%.100q is no name for an uploaded file", base)
	}
	return f, base, nil
}

// unprintable reports what changes terminals and the eyes of whoever lists the folder.
func unprintable(r rune) bool { return !unicode.IsPrint(r) }
