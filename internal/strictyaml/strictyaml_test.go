package strictyaml

import (
	"strings"
	"testing"
)

type sample struct {
	Name  string `yaml:"name"`
	Items []struct {
		URL  string `yaml:"url"`
		Unit int    `yaml:"unit"`
	} `yaml:"items"`
}

func TestDecodeRefuses(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"unknown key", "name: a\nnmae: b\n", "f.yaml:2:1: unknown key \"nmae\"; did you mean name?"},
		{"nested unknown key", "items:\n  - url: x\n    uint: 3\n", "f.yaml:3:5: unknown key \"uint\"; did you mean unit?"},
		{"wrong type", "name: a\nitems:\n  - unit: twelve\n", "f.yaml:3:11: "},
		{"duplicate key", "name: a\nname: b\n", "f.yaml:2:1: key \"name\" stands at 1:1 already; keep one of them"},
		{"value for a list", "name: a\nitems: 7\n", "f.yaml:2:8: a whole number stands here; give a list"},
		{"endless dashes", "items: x\n" + strings.Repeat("- ", 100000) + "a\n", "f.yaml:2:1: many list dashes on one line"},
		{"endless brackets", "items: " + strings.Repeat("[", 100000), "f.yaml:1:72: brackets nested deeper than 64 levels"},
		{"endless indents", stairs(1000), "f.yaml:65:65: nested deeper than 64 levels"},
		{"not UTF-8", "name: a\nname\xff: b\n", "f.yaml:2:5: not UTF-8"},
		{"empty", "", "f.yaml:1:1: the file must hold exactly one"},
		{"two documents", "name: a\n---\nname: b\n", "f.yaml:1:1: the file must hold exactly one"},
		{"alias", "name: &n a\nitems: [{url: *n}]\n", "f.yaml:1:7: anchors and aliases"},
		{"broken", "name: [a\n", "f.yaml:1:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s sample
			_, err := Decode("f.yaml", []byte(tc.in), &s)
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Fatalf("got %v, want prefix %q", err, tc.want)
			}
		})
	}
}

func TestAddPointsAtNode(t *testing.T) {
	var s sample
	doc, err := Decode("f.yaml", []byte("name: a\nitems:\n  - url: x\n    unit: 1\n  - url: y\n"), &s)
	if err != nil {
		t.Fatal(err)
	}
	if doc.Err() != nil {
		t.Fatal("no problem was added, yet Err is not nil")
	}
	doc.Add("$.items[1].url", "no such host")
	doc.Add("$.items[1].unit", "missing")
	doc.Add("$.name", "taken")
	want := "f.yaml:1:7: taken\nf.yaml:5:5: missing\nf.yaml:5:10: no such host"
	if got := doc.Err().Error(); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("name: a\nitems: [{url: x, unit: 2}]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var s sample
		doc, err := Decode("f.yaml", data, &s)
		if err == nil {
			doc.Add("$.items[0].url", "x")
		}
	})
}

// stairs nests n keys, each a space deeper.
func stairs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}
