package config

import (
	"encoding/json"
	"strings"
)

// Schema is the JSON Schema (draft 2020-12) of the site file, for editors and checks in CI. It
// says less than Parse: what one value may look like, not what values say of each other.
func Schema() []byte {
	s := Tree().schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Surefoot site file"
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("config: schema: " + err.Error()) // maps of strings always encode
	}
	return append(out, '\n')
}

func (k *Key) schema() map[string]any {
	s := k.shape()
	if k.Doc != "" {
		s["description"] = k.Doc
	}
	if k.Default != "" && !strings.HasPrefix(k.Default, "(") {
		s["default"] = defaultValue(k)
	}
	return s
}

// defaultValue is the default as JSON: only booleans and numbers are no texts.
func defaultValue(k *Key) any {
	if k.Scalar.JSON == "string" {
		return k.Default
	}
	return json.RawMessage(k.Default)
}

func (k *Key) shape() map[string]any {
	switch k.Form {
	case FormObject:
		return k.object()
	case FormNamed:
		return map[string]any{
			"type": "object", "propertyNames": map[string]any{"pattern": namePattern}, "additionalProperties": k.object(),
		}
	case FormObjects:
		return map[string]any{"type": "array", "items": k.object()}
	case FormWords:
		return map[string]any{"anyOf": []any{
			k.scalar(), map[string]any{"type": "array", "items": k.scalar(), "minItems": 1, "uniqueItems": true},
		}}
	}
	return k.scalar()
}

func (k *Key) object() map[string]any {
	props, required := map[string]any{}, []string{}
	for i := range k.Keys {
		props[k.Keys[i].Name] = k.Keys[i].schema()
		if k.Keys[i].Required {
			required = append(required, k.Keys[i].Name)
		}
	}
	s := map[string]any{"type": "object", "properties": props, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func (k *Key) scalar() map[string]any {
	s := map[string]any{"type": k.Scalar.JSON}
	if k.Scalar.Pattern != "" {
		s["pattern"] = k.Scalar.Pattern
	}
	if len(k.Choice) > 0 {
		s["enum"] = k.Choice
	}
	if k.Scalar.Bool {
		return map[string]any{"anyOf": []any{s, map[string]any{"type": "boolean"}}}
	}
	if k.Scalar.Number {
		return map[string]any{"anyOf": []any{
			s,
			map[string]any{"type": "integer", "minimum": 0, "maximum": 65534},
		}}
	}
	return s
}
