package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// validate is as much of JSON Schema as Schema uses. It fails on a keyword that it does not know.
func validate(t *testing.T, schema map[string]any, v any, path string) []string {
	t.Helper()
	var bad []string
	fail := func(format string, args ...any) { bad = append(bad, path+": "+fmt.Sprintf(format, args...)) }
	for _, word := range slices.Sorted(maps.Keys(schema)) {
		arg := schema[word]
		switch word {
		case "$schema", "title", "description", "default":
		case "type":
			if !hasType(v, arg.(string)) {
				fail("is not of type %v", arg)
			}
		case "pattern":
			if s, ok := v.(string); ok && !regexp.MustCompile(arg.(string)).MatchString(s) {
				fail("%q does not match %v", s, arg)
			}
		case "enum":
			if !slices.Contains(arg.([]any), v) {
				fail("%v is not one of %v", v, arg)
			}
		case "minimum":
			if n, ok := v.(float64); ok && n < arg.(float64) {
				fail("too small")
			}
		case "maximum":
			if n, ok := v.(float64); ok && n > arg.(float64) {
				fail("too large")
			}
		case "anyOf":
			if !slices.ContainsFunc(arg.([]any), func(s any) bool { return len(validate(t, s.(map[string]any), v, path)) == 0 }) {
				fail("matches no alternative")
			}
		case "items", "minItems", "uniqueItems":
			if list, ok := v.([]any); ok && word == "items" {
				for i, e := range list {
					bad = append(bad, validate(t, arg.(map[string]any), e, index(path, i))...)
				}
			} else if ok && word == "minItems" && float64(len(list)) < arg.(float64) {
				fail("too short")
			}
		case "required":
			if m, ok := v.(map[string]any); ok {
				for _, k := range arg.([]any) {
					if _, there := m[k.(string)]; !there {
						fail("lacks %v", k)
					}
				}
			}
		case "propertyNames", "properties", "additionalProperties":
			if m, ok := v.(map[string]any); ok {
				bad = append(bad, validateKeys(t, schema, m, word, path)...)
			}
		default:
			t.Fatalf("%s: keyword %s", path, word)
		}
	}
	return bad
}

func validateKeys(t *testing.T, schema, m map[string]any, word, path string) (bad []string) {
	t.Helper()
	props, _ := schema["properties"].(map[string]any)
	for k, v := range m {
		prop, known := props[k].(map[string]any)
		switch {
		case word == "propertyNames":
			bad = append(bad, validate(t, schema[word].(map[string]any), k, path)...)
		case word == "properties" && known:
			bad = append(bad, validate(t, prop, v, join(path, k))...)
		case word == "additionalProperties" && !known:
			if inner, ok := schema[word].(map[string]any); ok {
				bad = append(bad, validate(t, inner, v, join(path, k))...)
			} else {
				bad = append(bad, path+": unknown key "+k)
			}
		}
	}
	return bad
}

func hasType(v any, name string) bool {
	switch v := v.(type) {
	case map[string]any:
		return name == "object"
	case []any:
		return name == "array"
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case float64:
		return name == "number" || name == "integer" && v == float64(int64(v))
	}
	return false
}

// asJSON reads YAML as the plain values of JSON.
func asJSON(t *testing.T, data []byte) any {
	t.Helper()
	j, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(j, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func theSchema(t *testing.T) map[string]any {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever loads is right by the schema: good files, and the effective files made of them.
func TestSchemaAccepts(t *testing.T) {
	s := theSchema(t)
	list := append(testFiles(t, "testdata/good/*.yaml", 8), testFiles(t, "testdata/good/*.effective", 8)...)
	for _, path := range append(list, "testdata/reference.yaml") {
		data := read(t, path)
		if filepath.Base(path) == "notepad.yaml" {
			d, _ := decode(path, data) // without byte order mark and tabs, which the other decoder trips over
			data = []byte(d.src.text)
		}
		if bad := validate(t, s, asJSON(t, data), ""); len(bad) > 0 {
			t.Errorf("%s: %q", path, bad)
		}
	}
}

// What one value may not look like, the schema says as well.
func TestSchemaRefuses(t *testing.T) {
	s := theSchema(t)
	for _, name := range []string{
		"unknown-keys", "not-yet", "wrong-kinds", "wrong-kinds-inside", "missing", "missing-all", "booleans",
		"numbers", "durations", "enums", "roles", "mac-wrong", "names", "addresses", "subnets", "listen", "json",
	} {
		data := read(t, "testdata/bad/"+name+".yaml")
		if !utf8.Valid(data) {
			t.Fatal(name)
		}
		if bad := validate(t, s, asJSON(t, data), ""); len(bad) == 0 {
			t.Errorf("%s is right by the schema", name)
		}
	}
}

// The reference file shows every key there is, and passes as it stands.
func TestReferenceIsComplete(t *testing.T) {
	if _, err := Check("reference.yaml", []byte(Example()), nil); err != nil {
		t.Fatal(err)
	}
	d, _ := decode("reference.yaml", []byte(Example()))
	used := map[string]bool{}
	var walk func(v *value, path string)
	walk = func(v *value, path string) {
		used[path] = true
		for _, f := range v.fields {
			walk(f.val, join(path, f.key))
		}
		for _, e := range v.list {
			walk(e, path)
		}
	}
	walk(d.build(d.parse()), "")
	Tree().Walk(func(k *Key) {
		found := false
		for path := range used {
			if got, _ := Explain(path); got != nil && got.Path == k.Path {
				found = true
			}
		}
		// A file that is named has to be there, so that key stands in a comment; a split excludes store.etcd.
		isSplit := strings.HasPrefix(k.Path, "networks.NAME.dhcp.split") || strings.HasPrefix(k.Path, "networks.NAME.dhcp6.split")
		if !found && !strings.Contains(Example(), "\n    # "+k.Name+": ") && !isSplit {
			t.Errorf("the reference file does not show %s", k.Path)
		}
	})
}
