package config

import (
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// kind is what a value is in YAML, before anybody asks what it should be.
type kind int

const (
	kindNull kind = iota
	kindText
	kindNumber
	kindBool
	kindList
	kindMap
	kindBroken // reported already: nothing more is said of it
)

// value is a node of the file: what the decoder needs of it and nothing else.
type value struct {
	kind
	text   string // of a scalar, as written but without its quotes
	quoted bool
	at     // its path is where it was first seen; an alias has others
	list   []*value
	fields []field
	size   int // values in it with every alias written out, itself included
}

// field is a key of a map with its value.
type field struct {
	key string
	at  at
	val *value
}

// maxValues bounds a file with its aliases written out, so that nine lines cannot stand for a
// billion values.
const maxValues = 1 << 20

// builder makes values from the syntax tree.
type builder struct {
	d       *decoder
	anchors map[string]*value
}

// build turns the syntax tree into values, and reports duplicate keys and bad aliases.
func (d *decoder) build(n ast.Node) *value {
	b := builder{d: d, anchors: map[string]*value{}}
	v := b.value(n, "")
	if v.size > maxValues {
		d.report(v.at, faultf("with its aliases written out the file would hold more than %d values", maxValues).do("write out the values instead of using aliases"))
		return nil
	}
	return v
}

func (b *builder) value(n ast.Node, path string) *value {
	v := &value{size: 1}
	if n == nil {
		return v
	}
	v.at = place(n.GetToken(), path)
	switch n := n.(type) {
	case *ast.MappingNode:
		v.kind = kindMap
		b.fields(v, n.Values, path)
		if len(n.Values) > 0 && !n.IsFlowStyle {
			v.at = v.fields[0].at
			v.path = path
		}
	case *ast.MappingValueNode:
		v.kind = kindMap
		b.fields(v, []*ast.MappingValueNode{n}, path)
		v.at = v.fields[0].at
		v.path = path
	case *ast.SequenceNode:
		v.kind = kindList
		for i, e := range n.Values {
			v.list = append(v.list, v.add(b.value(e, path+"["+strconv.Itoa(i)+"]")))
		}
	case *ast.AnchorNode:
		v = b.value(n.Value, path)
		b.anchors[tokenText(n.Name)] = v
	case *ast.AliasNode:
		name := tokenText(n.Value)
		if a := b.anchors[name]; a != nil {
			return a
		}
		v.kind = kindBroken
		b.d.report(v.at, faultf("the alias *%s refers to nothing before it", name).do("quote the value if it is a text: %s", strconv.Quote("*"+name)))
	default:
		b.scalar(v, n)
	}
	return v
}

// add counts a value into the one that holds it. The sum stops at the bound, so that it cannot
// overflow.
func (v *value) add(inner *value) *value {
	v.size = min(v.size+inner.size, maxValues+1)
	return inner
}

func (b *builder) fields(v *value, list []*ast.MappingValueNode, path string) {
	seen := map[string]int{}
	for _, n := range list {
		t := n.Key.GetToken()
		f := field{key: t.Value, at: place(t, join(path, t.Value))}
		switch n.Key.(type) {
		case *ast.AnchorNode, *ast.AliasNode:
			b.d.report(f.at, faultf("a key with an anchor or alias").do("write out the key"))
		}
		f.val = v.add(b.value(n.Value, f.at.path))
		if line, twice := seen[f.key]; twice {
			b.d.report(f.at, faultf("%s is here twice, the first time in line %d", quote(f.key), line).do("delete one of the two"))
			continue
		}
		seen[f.key] = f.at.line
		v.fields = append(v.fields, f)
	}
}

func (b *builder) scalar(v *value, n ast.Node) {
	t := n.GetToken()
	v.text = t.Value
	switch n := n.(type) {
	case *ast.StringNode:
		v.kind, v.quoted = kindText, t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType
		v.text = n.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		v.kind = kindNumber
	case *ast.BoolNode:
		v.kind = kindBool
	case *ast.NullNode:
		v.kind = kindNull
	default:
		v.kind = kindBroken
		b.d.report(v.at, faultf("%s has no place in a site file", n.Type().YAMLName()).do("quote the value"))
	}
}

// tokenText is the text of an anchor's or alias's name.
func tokenText(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

// join appends a key to a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
