package console

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/builtin"
)

var (
	foundLine   = regexp.MustCompile(`^[^ :]+: ([a-z0-9_ ]+), probability `)
	explainLine = regexp.MustCompile(`^[^ :]+:   ([a-z0-9_]+) (?:explains|open|unlikely|ruled_out)$`)
)

// TestEveryCodeHasWords looks through what the built-in detectors say in their
// own cases: no officer should read a code.
func TestEveryCodeHasWords(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "plugins", "*", "testdata", "cases", "*", "expected.out"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d cases of detectors, %v", len(files), err)
	}
	w, seen := newWords(), make(map[string]bool)
	missing := func(kind, code string, table map[string]string) {
		if _, ok := table[code]; !ok && !seen[kind+code] {
			seen[kind+code] = true
			t.Errorf("the %s %s has no words", kind, code)
		}
	}
	reasons := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\n")
			if m := foundLine.FindStringSubmatch(line); m != nil {
				for code := range strings.FieldsSeq(m[1]) {
					missing("reason", code, w.reasons)
					reasons++
				}
			} else if m := explainLine.FindStringSubmatch(line); m != nil {
				missing("innocent explanation", m[1], w.innocent)
			}
		}
	}
	if reasons < 20 {
		t.Errorf("%d reasons in %d cases; has the form of the cases changed?", reasons, len(files))
	}
	for _, d := range builtin.Detectors() {
		missing("detector", d.Describe().Name, w.detectors)
	}
}
