package pluginstore

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Field is one field of a plugin's configuration, for people to read.
type Field struct {
	Path    string `json:"path"`    // such as rigs[].kw
	Type    string `json:"type"`    // in words
	Allowed string `json:"allowed"` // values or range in words, "" for any
	Default string `json:"default"` // as JSON, "" for none
	What    string `json:"what"`    // the schema's description
	Needed  bool   `json:"needed"`  // must be given
}

// Fields lists the fields of the configuration that the schema describes.
func (s *Schema) Fields() []Field { return s.fields(nil, "", s.document, 0) }

func (s *Schema) fields(out []Field, prefix string, schema map[string]any, depth int) []Field {
	if schema = s.follow(schema); schema == nil || depth > maxSchemaDepth {
		return out
	}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		sub, ok := properties[name].(map[string]any)
		if !ok {
			continue
		}
		described := sub
		sub = s.follow(sub)
		if sub == nil {
			continue
		}
		f := Field{Path: prefix + plain(name), Type: typeWords(sub["type"]), Allowed: allowed(sub), Needed: slices.Contains(required, any(name))}
		for _, from := range []map[string]any{sub, described} {
			if text, ok := from["description"].(string); ok {
				f.What = plain(text)
			}
			if v, ok := from["default"]; ok {
				f.Default = quoted(v)
			}
		}
		out = append(out, f)
		out = s.fields(out, f.Path+".", sub, depth+1)
		if items, ok := sub["items"].(map[string]any); ok {
			out = s.fields(out, f.Path+"[].", items, depth+1)
		}
	}
	return out
}

// follow returns what a reference leads to.
func (s *Schema) follow(schema map[string]any) map[string]any {
	for range maxSchemaDepth {
		ref, ok := schema["$ref"].(string)
		if !ok {
			return schema
		}
		defs, _ := s.document["$defs"].(map[string]any)
		schema, _ = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	return nil
}

func typeWords(v any) string {
	switch v := v.(type) {
	case string:
		return plain(v)
	case []any:
		return orList(v, func(v any) string { return typeWords(v) })
	}
	return "any"
}

// allowed puts the range or the list of values into words.
func allowed(schema map[string]any) string {
	var parts []string
	if list, ok := schema["enum"].([]any); ok {
		parts = append(parts, orList(list, quoted))
	}
	if v, ok := schema["const"]; ok {
		parts = append(parts, quoted(v))
	}
	for _, k := range []struct{ key, words string }{
		{"minimum", "at least %s"}, {"exclusiveMinimum", "more than %s"}, {"maximum", "at most %s"}, {"exclusiveMaximum", "less than %s"},
		{"multipleOf", "a multiple of %s"}, {"pattern", "fitting %s"}, {"minItems", "at least %s entries"}, {"maxItems", "at most %s entries"},
		{"minLength", "at least %s characters"}, {"maxLength", "at most %s characters"},
	} {
		switch v := schema[k.key].(type) {
		case json.Number:
			parts = append(parts, fmt.Sprintf(k.words, v))
		case string:
			parts = append(parts, fmt.Sprintf(k.words, plain(v)))
		}
	}
	return strings.Join(parts, ", ")
}

// plain makes a plugin's text fit for a terminal and a table.
func plain(s string) string {
	return clipTo(strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }), " "), 300)
}

func clipTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
