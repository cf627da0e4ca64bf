package config

import "strings"

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
