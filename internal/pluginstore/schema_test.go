package pluginstore

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

const rigs = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object", "additionalProperties": false, "required": ["threshold"],
  "properties": {
    "threshold": {"type": "number", "minimum": 1, "maximum": 10, "default": 3, "description": "how many times the usual"},
    "mode": {"enum": ["fast", "slow"], "default": "fast"},
    "tag": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
    "rigs": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/rig"}},
    "either": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]}
  },
  "$defs": {"rig": {"type": "object", "additionalProperties": false, "required": ["kw"], "properties": {
    "kw": {"type": "number", "exclusiveMinimum": 0, "description": "of one\u001b[2J rig"}, "count": {"type": "integer", "multipleOf": 2}
  }}}
}`

func TestConfigurationsAgainstASchema(t *testing.T) {
	d := &sdk.Description{Name: "owl", ConfigSchema: []byte(rigs)}
	for config, want := range map[string]string{
		`{"threshold": 2, "mode": "slow", "tag": "abc", "rigs": [{"kw": 1.5, "count": 4}], "either": true}`: "",
		``:                                 "threshold: missing; give it a value",
		`{}`:                               "threshold: missing; give it a value",
		`{"threshold": 0.5}`:               "threshold: 0.5; give at least 1",
		`{"threshold": 11}`:                "threshold: 11; give at most 10",
		`{"threshold": "many"}`:            "threshold: a text stands here; give a number",
		`{"threshold": 2, "treshold": 2}`:  "treshold: no such field; `gridwarden plugins describe` lists those that there are",
		`{"threshold": 2, "mode": "idle"}`: `mode: "idle"; give "fast" or "slow"`,
		`{"threshold": 2, "tag": "A"}`:     `tag: "A"; write it so that it fits ^[a-z]+$`,
		`{"threshold": 2, "rigs": [{"kw": 1}, {"kw": 0, "count": 3}]}`: "rigs.1.count: 3; give a multiple of 2; rigs.1.kw: 0; give more than 0",
		`{"threshold": 2, "rigs": [{}, {"kw": 1}, {"kw": 1}]}`:         "rigs: 3 entries; give at most 2; rigs.0.kw: missing; give it a value",
		`{"threshold": 2, "either": "x"}`:                              "either: it fits none of the forms that are allowed, or several: either: a text stands here; give a whole number, or either: a text stands here; give true or false",
		`{"threshold": 1e999999999}`:                                   "the number 1e999999999 is beyond all measure",
		`[1]`:                                                          "a list stands here; give a block of key: value lines",
		`{`:                                                            "not JSON: ",
		strings.Repeat("[", 5000):                                      "nested deeper than 40 levels; write it flatter",
	} {
		got := CheckConfig(d, []byte(config))
		if want == "" && got != nil || !strings.HasPrefix(got.Error(), want) {
			t.Errorf("%.80s\ngot  %v\nwant %s", config, got, want)
		}
	}
	if got := CheckConfig(&sdk.Description{}, []byte(`{"x": 1}`)); got != nil {
		t.Errorf("without a schema: %v", got)
	}
	if got := CheckConfig(&sdk.Description{ConfigSchema: []byte(`{"$ref": "https://example.org/s"}`)}, nil); !strings.Contains(got.Error(), "have the plugin's author put that right") {
		t.Errorf("a bad schema: %v", got)
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	bomb := `{"$defs": {"a0": {"type": "string"}`
	for i := range 30 {
		bomb += fmt.Sprintf(`, "a%d": {"allOf": [{"$ref": "#/$defs/a%d"}, {"$ref": "#/$defs/a%d"}]}`, i+1, i, i)
	}
	bomb += `}, "properties": {"x": {"$ref": "#/$defs/a30"}}}`
	for name, c := range map[string][2]string{
		"a bomb of references":    {bomb, "write it out, simpler"},
		"a circle":                {`{"$defs": {"a": {"properties": {"x": {"$ref": "#/$defs/a"}}}}, "$ref": "#/$defs/a"}`, "leads back to itself"},
		"a circle to the root":    {`{"properties": {"x": {"$ref": "#"}}}`, "only one to"},
		"from the network":        {`{"$ref": "https://example.org/s.json"}`, "only one to"},
		"from a file":             {`{"$ref": "file:///etc/passwd"}`, "only one to"},
		"a metaschema elsewhere":  {`{"$schema": "https://example.org/meta"}`, "only \"https://json-schema.org/draft/2020-12/schema\" is known"},
		"an older draft":          {`{"$schema": "http://json-schema.org/draft-07/schema#"}`, "is known"},
		"another base":            {`{"$id": "https://example.org/"}`, "is not taken"},
		"dynamic":                 {`{"$dynamicRef": "#x"}`, "is not taken"},
		"to nothing":              {`{"$ref": "#/$defs/none"}`, "only one to"},
		"without end":             {strings.Repeat(" ", maxSchemaBytes+1), "at most"},
		"deep":                    {strings.Repeat(`{"not":`, 100) + "{}" + strings.Repeat("}", 100), "nested deeper"},
		"deep without an end":     {strings.Repeat(`[`, 100_000), "nested deeper"},
		"many":                    {`{"enum": [` + strings.Repeat("1,", 30_000) + `1]}`, "write it out, simpler"},
		"a number beyond measure": {`{"minimum": 1e1000000000}`, "beyond all measure"},
		"a tiny number":           {`{"multipleOf": 1e-1000000000}`, "beyond all measure"},
		"a long number":           {`{"minimum": ` + strings.Repeat("9", 50) + `}`, "digits"},
		"not a schema":            {`{"type": "mood"}`, "draft 2020-12"},
		"a bad pattern":           {`{"pattern": "(a{1000}){1000}{1000}"}`, "draft 2020-12"},
		"not an object":           {`true`, "not a JSON object"},
		"not JSON":                {`{"type": }`, "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseSchema([]byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) {
				t.Errorf("error %v; want %q", err, c[1])
			}
		})
	}
}

func TestFieldsOfASchema(t *testing.T) {
	s, err := ParseSchema([]byte(rigs))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(s.Fields())
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{
		{Path: "either", Type: "any"},
		{Path: "mode", Type: "any", Allowed: `"fast" or "slow"`, Default: `"fast"`},
		{Path: "rigs", Type: "array", Allowed: "at most 2 entries"},
		{Path: "rigs[].count", Type: "integer", Allowed: "a multiple of 2"},
		{Path: "rigs[].kw", Type: "number", Allowed: "more than 0", What: "of one [2J rig", Needed: true},
		{Path: "tag", Type: "string", Allowed: "fitting ^[a-z]+$, at most 5 characters"},
		{Path: "threshold", Type: "number", Allowed: "at least 1, at most 10", Default: "3", What: "how many times the usual", Needed: true},
	}
	wanted, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(wanted) {
		t.Errorf("got  %s\nwant %s", got, wanted)
	}
}

func FuzzSchema(f *testing.F) {
	f.Add([]byte(rigs), []byte(`{"threshold": 2, "rigs": [{"kw": 1}]}`))
	f.Add([]byte(`{"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}`), []byte(`{}`))
	f.Add([]byte(`{"patternProperties": {"^a": {"minimum": 1e-3}}, "unevaluatedProperties": false}`), []byte(`{"ab": 1e400}`))
	f.Add([]byte(`{"allOf": [{"if": {"const": 1}, "then": false}], "contains": {}, "uniqueItems": true}`), []byte(`[1, 1]`))
	f.Fuzz(func(t *testing.T, schema, config []byte) {
		s, err := ParseSchema(schema)
		if err != nil {
			return
		}
		s.Fields()
		first, second := s.Check(config), s.Check(config)
		if first.Error() != second.Error() {
			t.Fatalf("%v\n%v", first, second)
		}
	})
}
