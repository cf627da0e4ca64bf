package config

import (
	"net/netip"
	"os"
	"path"
	"strconv"
	"strings"
	"unicode"

	"surefoot/internal/inbox"
)

// UploadMode says what becomes of a file that is there already.
type UploadMode string

// The modes of an upload folder.
const (
	UploadCreate    UploadMode = "create"    // it stays, and the upload is refused
	UploadOverwrite UploadMode = "overwrite" // it is replaced when the upload is complete
)

// DefaultMaxUpload is how large an uploaded file may be, in bytes.
const DefaultMaxUpload = 100 << 20

func uploadsKey() Key {
	return Key{
		Name: "uploads", Form: FormObjects, Default: "(none: uploads are off)", Example: "uploads: [{folder: crash, mode: create, max_size: 100MiB}]",
		Doc: "Folders that take files by TFTP. Nothing else is ever written. A file appears under its name when it is complete and on the disk.",
		Keys: []Key{
			{
				Name: "folder", Scalar: scalarBelow, Required: true, Example: "folder: crash",
				Doc: "The folder, below the root; . is the root itself. It has to be there, and the user that serves has to be able to write to it: see tftp.md, Uploads. Folders inside it take nothing.",
			},
			{
				Name: "mode", Scalar: scalarChoice, Choice: []string{string(UploadCreate), string(UploadOverwrite)}, Default: "create", Example: "mode: overwrite",
				Doc: "create takes new names only; overwrite replaces a file that is there, once the new one is complete.",
			},
			{
				Name: "max_size", Scalar: scalarSize, Default: "100MiB", Example: "max_size: 100MiB",
				Doc: "How large one file may be. A client that says the size is refused before the first byte.",
			},
			{
				Name: "max_total", Scalar: scalarSize, Default: "(as the disk has room)", Example: "max_total: 10GiB",
				Doc: "How large all files of the folder may be together, a file that is being replaced and the new one as well.",
			},
			{
				Name: "from", Form: FormWords, Scalar: scalarSubnet, Default: "(everybody)", Example: "from: [10.10.0.0/22]",
				Doc: "Who may upload. TFTP asks for no password: name the networks that have to.",
			},
		},
	}
}

func (d *decoder) upload(o object) fileUpload {
	return fileUpload{
		at:       o.at,
		folder:   one(o, "folder", parseUploadFolder),
		mode:     one(o, "mode", parseChoice(UploadCreate, UploadOverwrite)),
		maxSize:  one(o, "max_size", parseSize),
		maxTotal: one(o, "max_total", parseSize),
		from:     words(o, "from", parseSubnet),
	}
}

// parseUploadFolder takes a folder below the root. The root itself has to be meant.
func parseUploadFolder(v *value) (string, *fault) {
	s, f := parseText(v)
	if f != nil {
		return "", f
	}
	clean := path.Clean(strings.TrimLeft(strings.ReplaceAll(s, `\`, "/"), "/"))
	switch {
	case len(s) > maxBelow, strings.IndexFunc(s, unicode.IsControl) >= 0:
		return "", faultf("%s is no name of a folder", quote(s)).do("name a folder below the root, as in crash")
	case leadsOut(s):
		return "", faultf("%s leads out of the root", quote(s)).do("name a folder below the root, as in crash, and make it there")
	case clean == "." && s != ".":
		return "", faultf("%s is the root itself", quote(s)).do("name a folder below it, as in crash; uploads among the boot files are allowed by .")
	case inbox.InVersions(clean):
		return "", faultf("%s belongs to the versions of the root, and what was published does not change", quote(s)).do("name a folder beside them, as in crash")
	case strings.TrimRight(s, "/") != clean:
		return "", faultf("%s is not the folder as it is called below the root", quote(s)).write(plain(clean))
	}
	return clean, nil
}

// warnUploads tells of folders that take nothing, as far as that shows on this machine and for the
// user that checks: under systemd that is the service's.
func (d *decoder) warnUploads(f *file) {
	if len(f.uploads) == 0 {
		return
	}
	root, err := os.OpenRoot(f.root.v)
	if err != nil {
		return
	}
	defer root.Close()
	for _, u := range f.uploads {
		if u.folder == nil {
			continue
		}
		if e := inbox.Check(root, u.folder.v); e != nil {
			d.report(u.folder.at, faultf("warning: %s", e).do("%s", e.Hint()[0]))
		}
	}
}

// checkUploads looks for folders that are named twice, and for a site without a root.
func (d *decoder) checkUploads(f *file) {
	seen := map[string]int{}
	for _, u := range f.uploads {
		if f.root == nil {
			d.report(u.at, faultf("uploads need a directory to go to").do("write root: /srv/boot at the top level"))
			return
		}
		if u.folder == nil {
			continue
		}
		if line, twice := seen[u.folder.v]; twice {
			d.report(u.folder.at, faultf("%s takes uploads already, in line %d", quote(u.folder.v), line).do("delete one of the two"))
		}
		seen[u.folder.v] = u.folder.line
		if u.maxSize != nil && u.maxTotal != nil && u.maxSize.v > u.maxTotal.v {
			d.report(u.maxSize.at, faultf("one file may have %s, and all together %s", sizeText(u.maxSize.v), sizeText(u.maxTotal.v)).do("raise max_total, or lower max_size"))
		}
	}
}

func (f *file) resolveUploads() []Upload {
	var out []Upload
	for _, u := range f.uploads {
		out = append(out, Upload{
			Folder: u.folder.or(""), Overwrite: u.mode.or(UploadCreate) == UploadOverwrite,
			MaxSize: u.maxSize.or(DefaultMaxUpload), MaxTotal: u.maxTotal.or(0), From: plainList(u.from),
		})
	}
	return out
}

func (c *Config) writeUploads(line func(string, ...any)) {
	if len(c.Uploads) > 0 {
		line("  uploads:")
	}
	for _, u := range c.Uploads {
		mode := UploadCreate
		if u.Overwrite {
			mode = UploadOverwrite
		}
		line("    - folder: %s", plain(u.Folder))
		line("      mode: %s", mode)
		line("      max_size: %s", sizeText(u.MaxSize))
		if u.MaxTotal > 0 {
			line("      max_total: %s", sizeText(u.MaxTotal))
		}
		if len(u.From) > 0 {
			line("      from: %s", flow(prefixTexts(u.From)))
		}
	}
}

func prefixTexts(list []netip.Prefix) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	return out
}

// units of sizes, the largest first.
func units() []struct {
	name string
	size int64
} {
	return []struct {
		name string
		size int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}
}

// ParseSize reads a size with its unit, as in 100MiB.
func ParseSize(s string) (int64, bool) {
	for _, u := range units() {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || n == 0 || n > uint64(1<<50/u.size) {
			return 0, false
		}
		return int64(n) * u.size, true
	}
	return 0, false
}

func parseSize(v *value) (int64, *fault) {
	n, ok := ParseSize(v.text)
	if !ok {
		return 0, faultf("%s is not a size with its unit", quote(v.text)).write("100MiB").do("the units are KiB, MiB, GiB and TiB")
	}
	return n, nil
}

// sizeText writes a size with the largest unit that fits.
func sizeText(n int64) string {
	for _, u := range units() {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
