package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/files"
)

// Options say how to publish.
type Options struct {
	ID       string // "" makes one of the time
	Note     string
	Keep     int  // how many versions stay, the newest; 0: all. The current and the previous one always stay
	Adopt    bool // make loose files of the root the first version
	DryRun   bool // change nothing
	Now      time.Time
	Progress Progress
}

// Published is what was done, or with DryRun what would be.
type Published struct {
	ID       string   `json:"id"`
	Root     string   `json:"root"`
	Previous string   `json:"previous,omitempty"` // what was served before
	Adopted  string   `json:"adopted,omitempty"`  // the version that the loose files became
	Files    int      `json:"files"`
	Bytes    int64    `json:"bytes"`
	Digest   string   `json:"digest,omitempty"` // not of a dry run
	Removed  []string `json:"removed,omitempty"`
	Left     []string `json:"left,omitempty"` // loose files that stay, and are not served
	Same     bool     `json:"same,omitempty"` // the files are those of the version before
	DryRun   bool     `json:"dry_run,omitempty"`
}

// maxNote bounds what a list shows.
const maxNote = 500

// Publish copies a directory into the root as a new version, and makes it the current one. On any
// error what was current is current still, and nothing of the new version stays.
func (r *Root) Publish(ctx context.Context, dir string, o Options) (Published, error) {
	do := "publish " + dir
	fail := func(err error, hints ...string) (Published, error) {
		return Published{}, &Error{Do: do, Err: err, Hints: append(hints, space(err)...)}
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if len(o.Note) > maxNote {
		return fail(fmt.Errorf("a note has at most %d bytes", maxNote))
	}
	src, err := r.openSource(dir)
	if err != nil {
		return fail(err, sourceHints(err)...)
	}
	defer src.Close()
	list, err := scan(src, nil)
	if err != nil {
		return fail(err)
	}
	if !slices.ContainsFunc(list, part.isFile) {
		return fail(errors.New("there is no file in it"))
	}
	p, loose, err := r.plan(o)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return Published{}, err
		}
		return fail(err)
	}
	for _, x := range list {
		if !x.mode.IsDir() {
			p.Files++
		}
	}
	p.Bytes = total(list)
	if o.DryRun {
		if err := r.room(p.Bytes + total(loose)); err != nil {
			return fail(err)
		}
		p.DryRun = true
		return p, nil
	}
	if err := r.carryOut(ctx, src, list, loose, o, &p); err != nil {
		return fail(err)
	}
	return p, nil
}

// plan decides what is to be done, from what is there.
func (r *Root) plan(o Options) (Published, []part, error) {
	p := Published{Root: r.dir}
	st, err := r.State()
	if err != nil {
		return p, nil, err
	}
	p.Previous = st.Current
	if p.ID = o.ID; p.ID == "" {
		p.ID = freeID(st, o.Now, "")
	}
	switch {
	case !files.IsVersion(p.ID):
		return p, nil, fmt.Errorf("%q cannot be the name of a version: 1 to 63 letters, digits, dots, dashes and underscores, no .json at the end", p.ID)
	case st.Has(p.ID):
		return p, nil, &Error{
			Do: "publish as " + p.ID, Err: errors.New("there is a version of that name already"),
			Hints: []string{"--id names another; without it the time is its name", "surefoot file rollback " + p.ID + "   goes back to that one"},
		}
	}
	var loose []part
	if st.Current == "" && len(st.Loose) > 0 {
		if loose, err = r.adoption(st, o, &p); err != nil {
			return p, nil, err
		}
	}
	p.Removed = surplus(st, p, o.Keep)
	return p, loose, nil
}

// adoption looks at the loose files of a root without versions.
func (r *Root) adoption(st State, o Options, p *Published) ([]part, error) {
	do := "publish below " + r.dir
	for _, name := range []string{files.CurrentLink, files.PreviousLink} {
		if slices.Contains(st.Loose, name) {
			return nil, &Error{
				Do: do, Err: fmt.Errorf("%s is there already, and is no link to a version", name),
				Hints: []string{"give it another name: that of the link that says which version is served is " + files.CurrentLink},
			}
		}
	}
	if !o.Adopt {
		return nil, &Error{
			Do: do, Err: fmt.Errorf("the root has no versions, but files of its own (%s), which would not be served any more", few(st.Loose)),
			Hints: []string{
				"--adopt makes them the first version: surefoot file rollback brings them back",
				"surefoot file publish --dry-run --adopt ...   shows what that would do",
			},
		}
	}
	list, err := scan(r.root, ours)
	if err != nil {
		return nil, &Error{Do: "adopt the files of " + r.dir, Err: err}
	}
	p.Adopted = freeID(st, o.Now, "adopted-")
	p.Previous = p.Adopted
	return list, nil
}

// few names some of many.
func few(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + fmt.Sprintf(" and %d more", len(names)-3)
	}
	return strings.Join(names, ", ")
}

// freeID makes a name of the time that no version has.
func freeID(st State, now time.Time, prefix string) string {
	id := prefix + now.UTC().Format("20060102-150405")
	for n := 2; st.Has(id); n++ {
		id = fmt.Sprintf("%s%s-%d", prefix, now.UTC().Format("20060102-150405"), n)
	}
	return id
}

// surplus lists the versions that are too many once the new one is there.
func surplus(st State, p Published, keep int) []string {
	if keep <= 0 {
		return nil
	}
	var out []string
	kept := 1 // the new one
	for _, v := range st.Versions {
		if kept++; kept > keep && v.ID != p.Previous {
			out = append(out, v.ID)
		}
	}
	return out
}

// openSource opens the directory that is to be published.
func (r *Root) openSource(dir string) (*os.Root, error) {
	src, err := os.OpenRoot(dir)
	if err != nil {
		return nil, plain(err)
	}
	real, err1 := filepath.EvalSymlinks(dir)
	root, err2 := filepath.EvalSymlinks(r.dir)
	if err := errors.Join(err1, err2); err != nil {
		_ = src.Close()
		return nil, err
	}
	real, _ = filepath.Abs(real)
	root, _ = filepath.Abs(root)
	if rel, err := filepath.Rel(real, filepath.Join(root, files.VersionsDir)); err == nil && filepath.IsLocal(rel) {
		_ = src.Close()
		return nil, errInside
	}
	return src, nil
}

var errInside = errors.New("the versions would lie in it")

func sourceHints(err error) []string {
	switch {
	case errors.Is(err, errInside):
		return []string{"name the folder with the new files: a copy of it becomes the version", "--adopt makes a version of the files that lie in the root already"}
	case errors.Is(err, fs.ErrNotExist):
		return []string{"the argument is the folder with the new files"}
	}
	return nil
}

// room says that so many bytes do not fit, before any is written.
func (r *Root) room(need int64) error {
	if free := r.free(); free >= 0 && need > free {
		return &fullError{fmt.Sprintf("%d bytes are needed below %s, and %d are free", need, r.dir, free)}
	}
	return nil
}

type fullError struct{ text string }

func (e *fullError) Error() string        { return e.text }
func (e *fullError) Is(target error) bool { return target == unix.ENOSPC }

// space is what helps where the disk is full.
func space(err error) []string {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return []string{"nothing was switched, and the partial copy is gone: what was served is served still", "--keep N removes old versions; df -h shows the disks"}
	}
	return nil
}
