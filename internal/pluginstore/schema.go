package pluginstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Bounds on a plugin's schema. Schemas of real configurations are far below.
const (
	maxSchemaBytes = 256 << 10
	maxSchemaDepth = 40
	maxSchemaNodes = 20_000 // values, each counted as often as references lead to it
	maxNumberBytes = 40
	maxExponent    = 400
	draft2020      = "https://json-schema.org/draft/2020-12/schema"
	schemaURL      = "urn:plugin:config"
)

// Schema is a plugin's JSON Schema of its configuration: draft 2020-12 without
// schemas from elsewhere. References lead to #/$defs/NAME and never back.
type Schema struct {
	compiled *jsonschema.Schema
	document map[string]any
}

// ParseSchema reads a schema that a plugin gave.
func ParseSchema(data []byte) (s *Schema, err error) {
	if len(data) > maxSchemaBytes {
		return nil, fmt.Errorf("its schema has %d bytes; at most %d are read", len(data), maxSchemaBytes)
	}
	if err := shallow(data, maxSchemaDepth); err != nil {
		return nil, fmt.Errorf("its schema: %w", err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("its schema is not JSON: %w", err)
	}
	object, ok := document.(map[string]any)
	if !ok {
		return nil, errors.New("its schema is not a JSON object; write one with \"type\": \"object\"")
	}
	w := &walker{root: object}
	if err := w.walk(object, 0); err != nil {
		return nil, fmt.Errorf("its schema: %w", err)
	}
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("its schema cannot be read: %v", p)
		}
	}()
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(nowhere{})
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return nil, fmt.Errorf("its schema: %w", err)
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("its schema is not one of JSON Schema's draft 2020-12: %w", err)
	}
	return &Schema{compiled, object}, nil
}

// nowhere loads no schema.
type nowhere struct{}

// Load implements jsonschema.URLLoader.
func (nowhere) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s lies elsewhere; a schema has to be whole", clip(url))
}

// shallow refuses JSON that is nested deeper than a limit, before anything
// recursive reads it.
func shallow(data []byte, limit int) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			return nil //nolint:nilerr // its end, or what the reader of the whole will say better
		}
		if d, ok := token.(json.Delim); ok {
			if d == '{' || d == '[' {
				depth++
			} else {
				depth--
			}
		}
		if depth > limit {
			return fmt.Errorf("nested deeper than %d levels; write it flatter", limit)
		}
	}
}

// walker counts what a schema makes its reader do.
type walker struct {
	root  map[string]any
	nodes int
}

func (w *walker) walk(v any, depth int) error {
	if w.nodes++; w.nodes > maxSchemaNodes || depth > maxSchemaDepth {
		return errors.New("a reference leads back to itself, or to more than can be checked; write it out, simpler")
	}
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if err := w.keyword(key, value, depth); err != nil {
				return err
			}
			if err := w.walk(value, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, value := range v {
			if err := w.walk(value, depth+1); err != nil {
				return err
			}
		}
	case json.Number:
		return sane(v)
	}
	return nil
}

func (w *walker) keyword(key string, value any, depth int) error {
	text, isText := value.(string)
	switch key {
	case "$schema":
		if isText && strings.TrimSuffix(text, "#") != draft2020 {
			return fmt.Errorf("\"$schema\" is %q; only %q is known", clip(text), draft2020)
		}
	case "$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$recursiveAnchor", "$vocabulary":
		if isText || key == "$vocabulary" {
			return fmt.Errorf("%q is not taken; refer to \"#/$defs/NAME\" with \"$ref\"", key)
		}
	case "$ref":
		if !isText {
			return nil
		}
		name, ok := strings.CutPrefix(text, "#/$defs/")
		defs, _ := w.root["$defs"].(map[string]any)
		target, there := defs[name]
		if !ok || !there || strings.ContainsAny(name, "/~%") {
			return fmt.Errorf("\"$ref\" to %q; only one to \"#/$defs/NAME\" of the schema itself is followed", clip(text))
		}
		return w.walk(target, depth+1)
	}
	return nil
}

// sane refuses numbers that take ages to write out.
func sane(n json.Number) error {
	text := n.String()
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if exponent != "" {
		if e, err := strconv.Atoi(exponent); err != nil || e > maxExponent || e < -maxExponent {
			return fmt.Errorf("the number %s is beyond all measure", clip(text))
		}
	}
	if len(text) > maxNumberBytes {
		return fmt.Errorf("the number %s has more than %d digits", clip(text), maxNumberBytes)
	}
	return nil
}
