package config

import (
	"path"
	"strings"
	"unicode"

	"surefoot/internal/files"
)

// maxEntries bounds what is looked through at each request for a file.
const maxEntries = 1000

// fileEntry is an entry of the section files.
type fileEntry struct {
	at
	name, file, template *parsed[string]
	both, none           bool // of file and template, right or wrong
}

func (d *decoder) entry(o object) fileEntry {
	return fileEntry{
		at:       o.at,
		name:     one(o, "name", parsePattern),
		file:     one(o, "file", parseTarget),
		template: one(o, "template", parseTarget),
		both:     o.has("file") && o.has("template"),
		none:     !o.has("file") && !o.has("template") && !o.unsure(),
	}
}

// maxBelow is the longest path that Linux opens, less the final zero.
const maxBelow = 4095

// parseBelow takes the path of a file below the root.
func parseBelow(v *value) (string, *fault) {
	s, f := parseText(v)
	switch {
	case f != nil:
		return "", f
	case len(s) > maxBelow:
		return "", faultf("a path has at most %d bytes, this one has %d", maxBelow, len(s)).do("name a file below the root")
	case strings.IndexFunc(s, unicode.IsControl) >= 0:
		return "", faultf("%s holds a control character", quote(s)).do("name a file below the root")
	case strings.Contains(s, `\`):
		return "", faultf("%s has backslashes", quote(s)).write(plain(strings.ReplaceAll(s, `\`, "/")))
	case strings.HasPrefix(s, "/") && strings.Trim(s, "/") != "":
		return "", faultf("%s begins with a slash, and the path below the root is wanted", quote(s)).write(plain(strings.TrimLeft(s, "/")))
	case path.Clean(s) == "." || leadsOut(s):
		return "", faultf("%s leads to no file below the root", quote(s)).do("name the file from the root on, as in pvs/7.41/ARDBP32.BIN")
	}
	return s, nil
}

// parseTarget takes the path of one file.
func parseTarget(v *value) (string, *fault) {
	s, f := parseBelow(v)
	if f == nil && strings.ContainsAny(s, "*?") {
		f = faultf("%s is a pattern, and one file is wanted", quote(s)).do("name the file from the root on, as in pvs/7.41/ARDBP32.BIN")
	}
	return s, f
}

// parsePattern takes the name that clients ask for, or a pattern of such names.
func parsePattern(v *value) (string, *fault) {
	s, f := parseBelow(v)
	switch {
	case f != nil:
		return "", f
	case path.Clean(s) != s:
		return "", faultf("%s is not the shortest form of the name", quote(s)).write(plain(path.Clean(s)))
	}
	if _, err := path.Match(s, ""); err != nil {
		return "", faultf("%s is not a pattern: the [ is never closed, or is empty", quote(s)).do("* stands for any letters but /, ? for one, [a-z] for one of these; [[] for the bracket itself")
	}
	return s, nil
}

func (e *fileEntry) entry() files.Entry {
	return files.Entry{Name: e.name.or(""), File: e.file.or(""), Template: e.template.or("")}
}

// key is a name as it is compared.
func (f *file) key(name string) string {
	if f.fold.or(true) {
		return strings.ToLower(name)
	}
	return name
}

func (d *decoder) checkEntries(f *file) {
	if len(f.entries) > maxEntries {
		d.report(f.entries[maxEntries].at, faultf("there are %d entries, more than %d", len(f.entries), maxEntries).do("use patterns, or links in the root"))
		return
	}
	if len(f.entries) > 0 && f.root == nil && !d.reportedAt("root") {
		d.report(f.entries[0].at, faultf("entries stand for files below the root, and there is none").do("write root: /srv/boot at the top level"))
	}
	first := map[string]*fileEntry{} // by name
	for i := range f.entries {
		e := &f.entries[i]
		switch {
		case e.both:
			d.report(e.at, faultf("an entry stands for a file or for a template, not for both").do("leave one of them out"))
		case e.none:
			d.report(e.at, faultf("the entry stands for nothing").write("file: pvs/7.41/ARDBP32.BIN").do("or template: pxelinux.cfg.tmpl"))
		}
		if e.name == nil {
			continue
		}
		key := f.key(e.name.v)
		if other := first[key]; other != nil {
			d.report(e.name.at, faultf("%s is never reached: the entry in line %d has the same name", quote(e.name.v), other.line).do("delete one of the two"))
			continue
		}
		first[key] = e
	}
	for i := range f.entries {
		e := &f.entries[i]
		if e.file == nil || e.name == nil || d.full() {
			continue
		}
		other := first[f.key(path.Clean(e.file.v))]
		if other == nil || other == e || other.name == nil {
			continue
		}
		if real := other.entry(); real.Exact() {
			f := faultf("%s is an entry itself, in line %d, and entries do not lead to entries", quote(e.file.v), other.line)
			switch {
			case real.File != "":
				f.write("file: " + plain(real.File))
			case real.Template != "":
				f.write("template: " + plain(real.Template))
			}
			d.report(e.file.at, f.do("name the file as it is called below the root"))
		}
	}
}

// Warnings are what is no mistake of a site file and worth a look all the same: what is not right
// below its root, if the root is on this machine (it may be on others only), and settings that
// work against each other.
func Warnings(name string, data []byte) []Problem {
	d, f := decode(name, data)
	if f == nil {
		return nil
	}
	d.problems = nil
	d.warnTTL(f)
	if f.root != nil {
		d.warnUploads(f)
		d.warnEntries(f)
	}
	return d.list()
}

func (d *decoder) warnEntries(f *file) {
	if len(f.entries) == 0 {
		return
	}
	root, err := files.Open(f.root.v, files.Options{Fold: f.fold.or(true)})
	if err != nil {
		return
	}
	defer root.Close()
	for i := range f.entries {
		e := &f.entries[i]
		what, place := "file", e.file
		if place == nil {
			what, place = "template", e.template
		}
		if place == nil {
			continue
		}
		if err := root.Check(e.entry()); err != nil {
			d.report(place.at, faultf("warning: %s", err).do("correct the %s below %s on this machine, or the entry; clients that ask for %s get nothing", what, f.root.v, e.name.or("it")))
		}
	}
}
