package pluginstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// CheckConfig checks a configuration, nil for none, against what a detector
// says of itself. It returns what is wrong, field by field.
func CheckConfig(d *sdk.Description, config []byte) sdk.FieldErrors {
	if len(d.ConfigSchema) == 0 {
		return nil // the detector itself says whether it takes any
	}
	s, err := ParseSchema(d.ConfigSchema)
	if err != nil {
		return sdk.FieldErrors{{Message: fmt.Sprintf("%v; have the plugin's author put that right", err)}}
	}
	return s.Check(config)
}

// Check returns what is wrong in a configuration, nil where nothing is.
func (s *Schema) Check(config []byte) (out sdk.FieldErrors) {
	if len(config) == 0 {
		config = []byte("{}")
	}
	if err := shallow(config, maxSchemaDepth); err != nil {
		return sdk.FieldErrors{{Message: err.Error()}}
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(config))
	if err != nil {
		return sdk.FieldErrors{{Message: fmt.Sprintf("not JSON: %v", err)}}
	}
	if err := (&walker{}).numbers(value); err != nil {
		return sdk.FieldErrors{{Message: err.Error()}}
	}
	defer func() {
		if p := recover(); p != nil {
			out = sdk.FieldErrors{{Message: fmt.Sprintf("the plugin's schema cannot be followed (%v); have its author put that right", p)}}
		}
	}()
	err = s.compiled.Validate(value)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		out = fields(nil, invalid)
		if len(out) == 0 {
			out = sdk.FieldErrors{{Message: invalid.Error()}}
		}
	}
	slices.SortStableFunc(out, func(a, b sdk.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return slices.Compact(out)
}

// numbers looks at the numbers of a configuration alone.
func (w *walker) numbers(v any) error {
	switch v := v.(type) {
	case map[string]any:
		for _, value := range v {
			if err := w.numbers(value); err != nil {
				return err
			}
		}
	case []any:
		for _, value := range v {
			if err := w.numbers(value); err != nil {
				return err
			}
		}
	case json.Number:
		return sane(v)
	}
	return nil
}

// fields flattens the library's tree of errors into errors of fields.
func fields(out sdk.FieldErrors, e *jsonschema.ValidationError) sdk.FieldErrors {
	at := func(more ...string) string { return strings.Join(slices.Concat(e.InstanceLocation, more), ".") }
	add := func(field, format string, args ...any) {
		out = append(out, sdk.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, p := range k.Properties {
			add(at(p), "no such field; `gridwarden plugins describe` lists those that there are")
		}
	case *kind.Required:
		for _, p := range k.Missing {
			add(at(p), "missing; give it a value")
		}
	case *kind.Type:
		add(at(), "%s stands here; give %s", article(k.Got), orList(k.Want, article))
	case *kind.Enum:
		add(at(), "%s; give %s", quoted(k.Got), orList(k.Want, quoted))
	case *kind.Const:
		add(at(), "%s; give %s", quoted(k.Got), quoted(k.Want))
	case *kind.Minimum:
		add(at(), "%s; give at least %s", number(k.Got), number(k.Want))
	case *kind.Maximum:
		add(at(), "%s; give at most %s", number(k.Got), number(k.Want))
	case *kind.ExclusiveMinimum:
		add(at(), "%s; give more than %s", number(k.Got), number(k.Want))
	case *kind.ExclusiveMaximum:
		add(at(), "%s; give less than %s", number(k.Got), number(k.Want))
	case *kind.MultipleOf:
		add(at(), "%s; give a multiple of %s", number(k.Got), number(k.Want))
	case *kind.Pattern:
		add(at(), "%q; write it so that it fits %s", clip(k.Got), clip(k.Want))
	case *kind.MinItems:
		add(at(), "%d entries; give at least %d", k.Got, k.Want)
	case *kind.MaxItems:
		add(at(), "%d entries; give at most %d", k.Got, k.Want)
	case *kind.MinLength:
		add(at(), "%d characters; give at least %d", k.Got, k.Want)
	case *kind.MaxLength:
		add(at(), "%d characters; give at most %d", k.Got, k.Want)
	case *kind.AnyOf, *kind.OneOf:
		var ways []string
		for _, cause := range e.Causes {
			ways = append(ways, fields(nil, cause).Error())
		}
		add(at(), "it fits none of the forms that are allowed, or several: %s", strings.Join(ways, ", or "))
	default:
		if len(e.Causes) == 0 {
			add(at(), "%s", k.LocalizedString(message.NewPrinter(language.English)))
		}
		for _, cause := range e.Causes {
			out = fields(out, cause)
		}
	}
	return out
}

func article(jsonType string) string {
	switch jsonType {
	case "object":
		return "a block of key: value lines"
	case "array":
		return "a list"
	case "string":
		return "a text"
	case "boolean":
		return "true or false"
	case "integer":
		return "a whole number"
	case "null":
		return "nothing"
	}
	return "a " + jsonType
}

func quoted(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return clip(string(text))
}

func orList[T any](list []T, words func(T) string) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = words(v)
	}
	return strings.Join(parts, " or ")
}

func number(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return fmt.Sprintf("%g", f)
}
