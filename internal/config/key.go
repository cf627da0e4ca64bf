package config

import (
	"fmt"
	"strings"
)

// Key is one key of the site file: the single source of its reference, schema and explanation,
// and of what the decoder accepts.
type Key struct {
	Name     string
	Path     string // filled in by Keys, as in networks.NAME.reservations[].mac
	Form     Form
	Scalar   *Scalar  // of FormScalar and FormWords
	Choice   []string // the words allowed, nil for any
	Required bool
	Default  string // YAML, or words for people in parentheses
	Doc      string
	Example  string // YAML of the key with a value
	Keys     []Key  // what is inside
}

// Form is how the value of a key is written.
type Form int

// The forms of a value.
const (
	FormScalar  Form = iota
	FormWords        // one scalar, or a list of them
	FormObject       // a map with the keys in Keys
	FormNamed        // a map of names that the user gives, each with the keys in Keys
	FormObjects      // a list of maps with the keys in Keys
)

// Scalar is a kind of single value.
type Scalar struct {
	Name    string // as people are told
	JSON    string // type in JSON Schema
	Pattern string // regular expression in JSON Schema, "" for any text
	Number  bool   // a number will do as well as a text
	Bool    bool   // true or false will do as well as a text
}

// The kinds of single values. Patterns are for editors: the decoder says more, and checks more.
var (
	scalarName     = &Scalar{Name: "name", JSON: "string", Pattern: namePattern}
	scalarText     = &Scalar{Name: "text", JSON: "string"}
	scalarDir      = &Scalar{Name: "absolute path", JSON: "string", Pattern: `^/`}
	scalarFile     = &Scalar{Name: "file name", JSON: "string", Pattern: `^.{1,127}$`}
	scalarBelow    = &Scalar{Name: "path below the root", JSON: "string", Pattern: `^[^/\\][^\\]*$`}
	scalarPattern  = &Scalar{Name: "file name, or a pattern of them", JSON: "string", Pattern: `^[^/\\][^\\]*$`}
	scalarAddr     = &Scalar{Name: "IPv4 address", JSON: "string", Pattern: `^\d+\.\d+\.\d+\.\d+$`}
	scalarEndpoint = &Scalar{Name: "address, or address:port", JSON: "string", Pattern: `^\d+\.\d+\.\d+\.\d+(:\d+)?$`}
	scalarListen   = &Scalar{Name: "address, or address:port", JSON: "string", Pattern: `^(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:]+\])(:\d+)?$`}
	scalarSubnet   = &Scalar{Name: "IPv4 subnet", JSON: "string", Pattern: `^\d+\.\d+\.\d+\.\d+/\d+$`}
	scalarRoute    = &Scalar{Name: "NETWORK via ROUTER", JSON: "string", Pattern: `^(default|\d+\.\d+\.\d+\.\d+(/\d+)?) +via +\d+\.\d+\.\d+\.\d+$`}
	scalarRange    = &Scalar{Name: "IPv4 address, or FIRST-LAST", JSON: "string", Pattern: `^\d+\.\d+\.\d+\.\d+( *- *\d+\.\d+\.\d+\.\d+)?$`}
	scalarAddr6    = &Scalar{Name: "IPv6 address", JSON: "string", Pattern: `^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$`}
	scalarPoint6   = &Scalar{Name: "IPv6 address, or [address]:port", JSON: "string", Pattern: `^([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|\[[0-9A-Fa-f:.]+\]:\d+)$`}
	scalarSubnet6  = &Scalar{Name: "IPv6 subnet", JSON: "string", Pattern: `^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/\d+$`}
	scalarRange6   = &Scalar{Name: "IPv6 address, or FIRST-LAST", JSON: "string", Pattern: `^[0-9A-Fa-f:.]+( *- *[0-9A-Fa-f:.]+)?$`}
	scalarOption   = &Scalar{Name: "number of an option, or its name", JSON: "string", Number: true}
	scalarIface    = &Scalar{Name: "network interface", JSON: "string", Pattern: `^[^/\s]{1,15}$`}
	scalarMAC      = &Scalar{Name: "MAC address in quotes", JSON: "string", Pattern: `^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$|^[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4}){2}$`}
	scalarMACStart = &Scalar{Name: "MAC address or its first pairs, in quotes", JSON: "string", Pattern: `^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){0,5}[:-]?$|^[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4}){2}$`}
	scalarDuration = &Scalar{Name: "duration with its unit (30s, 2m, 1m30s)", JSON: "string", Pattern: `^([0-9.]+(us|ms|s|m|h))+$`}
	scalarSize     = &Scalar{Name: "size with its unit (100MiB, 10GiB)", JSON: "string", Pattern: `^[0-9]+[KMGT]iB$`}
	scalarCount    = &Scalar{Name: "whole number", JSON: "integer"}
	scalarBool     = &Scalar{Name: "true or false", JSON: "boolean"}
	scalarSHA256   = &Scalar{Name: "SHA-256 in 64 hexadecimal digits", JSON: "string", Pattern: `^[0-9A-Fa-f]{64}$`}
	scalarArch     = &Scalar{Name: "architecture, or a number of option 93", JSON: "string", Number: true}
	scalarSpan     = &Scalar{Name: "duration with its unit (30s, 2m, 4h, 30d)", JSON: "string", Pattern: `^([0-9]+d|([0-9.]+(us|ms|s|m|h))+)$`}
	scalarURL      = &Scalar{Name: "URL", JSON: "string", Pattern: `^[a-z]+://`}
	scalarHistory  = &Scalar{Name: "absolute path, or none", JSON: "string", Pattern: `^(/|none$)`}
	scalarChoice   = &Scalar{Name: "word", JSON: "string"}
)

// child finds a key inside.
func (k *Key) child(name string) *Key {
	for i := range k.Keys {
		if k.Keys[i].Name == name {
			return &k.Keys[i]
		}
	}
	return nil
}

// names lists the keys inside.
func (k *Key) names() []string {
	var out []string
	for _, c := range k.Keys {
		out = append(out, c.Name)
	}
	return out
}

// Type says in words how the value is written.
func (k *Key) Type() string {
	switch k.Form {
	case FormObject:
		return "map"
	case FormNamed:
		return "map of names"
	case FormObjects:
		return "list of maps"
	}
	what := k.Scalar.Name
	if len(k.Choice) > 0 {
		what = strings.Join(k.Choice, ", ")
		if k.Scalar.Number {
			what += ", or a number of option 93"
		}
	}
	if k.Form == FormWords {
		return "one or a list of: " + what
	}
	if len(k.Choice) > 0 {
		return "one of: " + what
	}
	return what
}

// DefaultText says what holds without the key.
func (k *Key) DefaultText() string {
	switch {
	case k.Required:
		return "none: required"
	case k.Default == "":
		return "none"
	}
	return k.Default
}

// Tree returns the whole table as one key, the file itself, with every path filled in.
func Tree() *Key {
	root := &Key{Form: FormObject, Keys: keyTable()}
	fillPaths(root)
	return root
}

func fillPaths(k *Key) {
	prefix := k.Path
	switch {
	case k.Form == FormNamed:
		prefix += ".NAME"
	case k.Form == FormObjects:
		prefix += "[]"
	}
	for i := range k.Keys {
		k.Keys[i].Path = join(prefix, k.Keys[i].Name)
		fillPaths(&k.Keys[i])
	}
}

// Walk visits every key below k, parents first.
func (k *Key) Walk(visit func(*Key)) {
	for i := range k.Keys {
		visit(&k.Keys[i])
		k.Keys[i].Walk(visit)
	}
}

// wrongKind says that a value has another shape than the key wants.
func (k *Key) wrongKind(v *value) *fault {
	want := map[Form]string{
		FormScalar: "one value", FormWords: "a word or a list of words", FormObject: "a map of keys",
		FormNamed: "a map of names", FormObjects: "a list",
	}[k.Form]
	return faultf("this is %s, but %s wants %s", v.describe(), k.Name, want).write(k.Example)
}

// describe says in words what a value is.
func (v *value) describe() string {
	switch v.kind {
	case kindText:
		return "a text"
	case kindNumber:
		return "a number"
	case kindBool:
		return "a boolean"
	case kindList:
		return "a list"
	case kindMap:
		return "a map"
	}
	return "empty"
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// quote prints a user's text within a message, cut where it is long.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:57]) + "..."
	}
	return fmt.Sprintf("%q", s)
}
