package dueprocess

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the errors that come out into testdata/refused")

// TestRefused changes one thing of a minimal pack for each file and compares
// the refusal, to the column.
func TestRefused(t *testing.T) {
	minimal := read(t, "testdata/minimal.yaml")
	if _, err := Parse("pack.yaml", minimal); err != nil {
		t.Fatalf("the minimal pack itself: %v", err)
	}
	files, err := filepath.Glob("testdata/refused/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata/refused: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text := string(read(t, file))
			head, want, ok := strings.Cut(text, "\nrefused\n")
			old, replacement, ok2 := strings.Cut(strings.TrimPrefix(head, "replace\n"), "\nwith\n")
			if !ok || !ok2 || !strings.Contains(string(minimal), old) {
				t.Fatalf("%s is not a case: write replace, with and refused, each on a line of its own", file)
			}
			_, err := Parse("pack.yaml", []byte(strings.Replace(string(minimal), old, replacement, 1)))
			if err == nil {
				t.Fatal("the pack was accepted")
			}
			if *update {
				if err := os.WriteFile(file, []byte(head+"\nrefused\n"+err.Error()+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got := err.Error() + "\n"; got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// A pack may go down to a floor, not below.
func TestTheFloorsThemselvesAreAccepted(t *testing.T) {
	text := string(read(t, "testdata/minimal.yaml"))
	for old, floor := range map[string]string{
		"notice_days: 7": "notice_days: 1", "appeal_days: 3": "appeal_days: 1", "review_within_hours: 24": "review_within_hours: 1",
		"expire_hours: 72": "expire_hours: 1", "approvals: 1": "approvals: 2",
	} {
		if _, err := Parse("pack.yaml", []byte(strings.Replace(text, old, floor, 1))); err != nil {
			t.Errorf("%s: %v", floor, err)
		}
	}
}

func TestHashFollowsTheText(t *testing.T) {
	text := read(t, "testdata/minimal.yaml")
	one, err := Parse("a.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Parse("b.yaml", append([]byte("# a comment\n"), text...))
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Hash) != 64 || one.Hash == two.Hash {
		t.Fatalf("hashes %q and %q", one.Hash, two.Hash)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func generic(t testing.TB) *Policy {
	t.Helper()
	p, err := Parse("generic.yaml", read(t, "../../configs/policies/generic.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// FuzzParse: whatever the bytes, parsing ends, and what it accepts keeps to
// the floors and can be evaluated.
func FuzzParse(f *testing.F) {
	f.Add(read(f, "testdata/minimal.yaml"))
	f.Add(read(f, "../../configs/policies/generic.yaml"))
	f.Add([]byte("pack: [\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("fuzz.yaml", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz.yaml:") {
				t.Fatalf("error without its place: %v", err)
			}
			return
		}
		checkJudgement(t, Evaluate(Facts{}, p, noon))
		if p.Noticed.NoticeDays < 1 || len(p.NeverSufficient) < 3 || p.Approvals.ExpireHours > 72 {
			t.Fatalf("accepted below the floors: %+v", p)
		}
	})
}
