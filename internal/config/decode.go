package config

import (
	"slices"
	"strings"
)

// decoder goes through a file once and collects problems on its way.
type decoder struct {
	src      *source
	others   []*source // files that the site file names
	problems []Problem
	more     bool // there may be problems beyond maxProblems
}

// decode turns bytes into the file's types. The file is nil if the text is not a YAML map; else
// every part that is right is filled in, whatever is wrong with the others.
func decode(name string, data []byte) (*decoder, *file) {
	d := &decoder{}
	if !d.newSource(name, data) {
		return d, nil
	}
	n := d.parse()
	if n == nil {
		if len(d.problems) == 0 {
			d.report(at{line: 1, col: 1}, faultf("the file is empty").do("surefoot config example prints a complete one to start from"))
		}
		return d, nil
	}
	v := d.build(n)
	if v == nil {
		return d, nil
	}
	if v.kind != kindMap {
		d.report(v.at, faultf("this is %s, but a site file is a map of keys", v.describe()).do("surefoot config example prints one to start from; is there a space after each colon?"))
		return d, nil
	}
	return d, d.file(object{d: d, at: v.at, val: v, key: Tree()})
}

// object is a map under decode together with what the table says of it.
type object struct {
	at
	d      *decoder
	val    *value
	key    *Key
	before int      // problems known when it was opened
	meant  []string // keys that its unknown keys are probably meant to be
}

// unsure reports whether anything in the map was wrong, so that nothing should be concluded from
// what it does not say.
func (o object) unsure() bool {
	return len(o.d.problems) > o.before ||
		slices.ContainsFunc(o.val.fields, func(f field) bool { return f.val.kind == kindBroken })
}

// open checks that a value is a map (or empty) and reports its unknown keys.
func (d *decoder) open(v *value, a at, key *Key) (object, bool) {
	o := object{d: d, at: a, val: v, key: key, before: len(d.problems)}
	switch v.kind {
	case kindMap, kindNull:
	case kindBroken:
		return o, false
	default:
		d.report(at{v.line, v.col, a.path}, key.wrongKind(v))
		return o, false
	}
	for _, f := range v.fields {
		if key.child(f.key) == nil {
			if d.full() {
				break
			}
			bad, meant := o.unknown(f.key)
			d.report(o.place(f), bad)
			o.meant = append(o.meant, meant)
		}
	}
	return o, true
}

// place is where a field's key stands, with the path by which it was reached.
func (o object) place(f field) at { return at{f.at.line, f.at.col, join(o.path, f.key)} }

// unknown says what is wrong with a key, and which key is probably meant.
func (o object) unknown(name string) (bad *fault, meant string) {
	f := faultf("unknown key %s", quote(name))
	names := o.key.names()
	if s := synonyms[strings.ToLower(name)]; slices.Contains(names, s) {
		return f.do("here it is called %s", s), s
	}
	if near := nearest(name, names); len(near) > 0 {
		return f.do("%s", didYouMean(name, names)), near[0]
	}
	var elsewhere []string
	Tree().Walk(func(k *Key) {
		if k.Name == name {
			elsewhere = append(elsewhere, k.Path)
		}
	})
	if len(elsewhere) > 0 {
		return f.do("it belongs in %s; the keys here are %s", strings.Join(elsewhere, " or "), strings.Join(names, ", ")), ""
	}
	return f.do("the keys here are %s", strings.Join(names, ", ")), ""
}

// find returns the value of a key and where it stands; nil if it is not there. A key that is
// required and missing is reported. Asking for a key that is not in the table is a fault of ours.
func (o object) find(name string) (*value, at, *Key) {
	k := o.key.child(name)
	if k == nil {
		panic("config: " + o.path + " has no key " + name + " in the table")
	}
	if f, ok := o.field(name); ok {
		return f.val, o.place(f), k
	}
	if k.Required && !slices.Contains(o.meant, name) {
		o.d.report(at{o.line, o.col, join(o.path, name)}, faultf("%s is missing", name).write(k.Example))
	}
	return nil, at{}, k
}
