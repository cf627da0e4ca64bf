package config

import (
	"slices"
	"strings"
)

// decoder goes through a file once and collects problems on its way.
type decoder struct {
	src      *source
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
	for _, l := range o.key.Later {
		if l.Name == name {
			return faultf("%q is not in this version of Surefoot: it belongs to %s", name, l.What).do("leave it out"), ""
		}
	}
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

// parsed is a value with the place where it stood, for messages about what it refers to.
type parsed[T any] struct {
	v T
	at
}

// one reads a single value; nil if it is not there or is wrong, which was then reported.
func one[T any](o object, name string, parse func(*value) (T, *fault)) *parsed[T] {
	v, a, k := o.find(name)
	if v == nil {
		return nil
	}
	a.line, a.col = v.line, v.col
	var f *fault
	switch v.kind {
	case kindBroken:
		return nil
	case kindNull:
		written, _ := o.field(name)
		a = o.place(written)
		f = faultf("%s has no value", name).write(firstLine(k.Example)).do("or leave the key out")
		if k.Required {
			f.remedy = ""
		}
	case kindList, kindMap:
		f = k.wrongKind(v)
	default:
		x, bad := parse(v)
		if bad == nil {
			return &parsed[T]{x, a}
		}
		if bad.instead != "" {
			bad.instead = name + ": " + bad.instead
		}
		f = bad
	}
	o.d.report(a, f)
	return nil
}

// field looks a key up in the map as written.
func (o object) field(name string) (field, bool) {
	for _, f := range o.val.fields {
		if f.key == name {
			return f, true
		}
	}
	return field{}, false
}

// has reports whether a key is written, be its value right or wrong.
func (o object) has(name string) bool { _, ok := o.field(name); return ok }

// words reads one value or a list of them; nil if the key is not there. Wrong values are left out.
func words[T comparable](o object, name string, parse func(*value) (T, *fault)) []parsed[T] {
	v, a, k := o.find(name)
	if v == nil {
		return nil
	}
	if v.kind != kindList {
		if p := one(o, name, parse); p != nil {
			return []parsed[T]{*p}
		}
		return []parsed[T]{}
	}
	out := []parsed[T]{}
	if len(v.list) == 0 {
		o.d.report(at{v.line, v.col, a.path}, faultf("an empty list").do("leave the key out, or name at least one, as in %s", firstLine(k.Example)))
	}
	seen := map[T]int{}
	for i, e := range v.list {
		ea := at{e.line, e.col, index(a.path, i)}
		switch e.kind {
		case kindBroken:
			continue
		case kindList, kindMap, kindNull:
			o.d.report(ea, faultf("this is %s, but %s is a list of single values", e.describe(), name).write(firstLine(k.Example)))
			continue
		}
		x, bad := parse(e)
		if bad != nil {
			o.d.report(ea, bad)
			continue
		}
		if line, twice := seen[x]; twice {
			o.d.report(ea, faultf("%s is in the list twice, the first time in line %d", quote(e.text), line).do("delete one of the two"))
			continue
		}
		seen[x] = e.line
		out = append(out, parsed[T]{x, ea})
	}
	return out
}

// section opens a map below a key; ok is false if it is not there or is no map.
func (o object) section(name string) (object, bool) {
	v, a, k := o.find(name)
	if v == nil {
		return object{}, false
	}
	return o.d.open(v, a, k)
}

// each opens every map of a list of maps; ok is false if the key holds something else.
func (o object) each(name string, visit func(int, object)) (ok bool) {
	v, a, k := o.find(name)
	if v == nil || v.kind == kindNull {
		return true
	}
	if v.kind == kindBroken {
		return false
	}
	if v.kind != kindList {
		o.d.report(at{v.line, v.col, a.path}, k.wrongKind(v))
		return false
	}
	ok = true
	item := *k
	item.Form, item.Name, item.Example = FormObject, "an entry of "+name, entryOf(k)
	for i, e := range v.list {
		if e.kind == kindNull {
			o.d.report(at{e.line, e.col, index(a.path, i)}, faultf("an entry of %s without a value", name).do("delete the -"))
			continue
		}
		inner, good := o.d.open(e, at{e.line, e.col, index(a.path, i)}, &item)
		if ok = ok && good; good {
			visit(i, inner)
		}
	}
	return ok
}

// named opens every map of a map of names; ok is false if the key holds something else.
func (o object) named(name string, visit func(string, object)) (ok bool) {
	v, a, k := o.find(name)
	if v == nil || v.kind == kindNull {
		return true
	}
	if v.kind == kindBroken {
		return false
	}
	if v.kind != kindMap {
		o.d.report(at{v.line, v.col, a.path}, k.wrongKind(v))
		return false
	}
	ok = true
	for _, f := range v.fields {
		fa := at{f.at.line, f.at.col, join(a.path, f.key)}
		if bad := checkName(f.key); bad != nil {
			o.d.report(fa, bad)
		}
		item := *k
		item.Form, item.Name, item.Example = FormObject, f.key, exampleOf(f.key, k)
		inner, good := o.d.open(f.val, fa, &item)
		if ok = ok && good; good {
			visit(f.key, inner)
		}
	}
	return ok
}

// exampleOf is the first entry of the example of a map of names, under another name.
func exampleOf(name string, k *Key) string {
	_, rest, _ := strings.Cut(k.Example, "\n")
	_, rest, _ = strings.Cut(firstLine(rest), ":")
	return name + ":" + rest
}

// entryOf is the first entry of the example of a list of maps.
func entryOf(k *Key) string {
	if _, rest, ok := strings.Cut(k.Example, "\n"); ok {
		return strings.TrimSpace(firstLine(rest))
	}
	_, rest, _ := strings.Cut(k.Example, "[")
	return "- " + strings.TrimSuffix(rest, "]")
}
