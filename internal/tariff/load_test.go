package tariff

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gridwarden/gridwarden/internal/grid"
)

var update = flag.Bool("update", false, "write the errors that come out into testdata/refused")

// TestRefused changes one thing of a minimal file for each case and compares
// the refusal, to the column.
func TestRefused(t *testing.T) {
	minimal := read(t, "testdata/minimal.yaml")
	if _, err := Parse("t.yaml", minimal); err != nil {
		t.Fatalf("the minimal file itself: %v", err)
	}
	files, err := filepath.Glob("testdata/refused/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata/refused: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			head, want, ok := strings.Cut(string(read(t, file)), "\nrefused\n")
			old, replacement, ok2 := strings.Cut(strings.TrimPrefix(head, "replace\n"), "\nwith\n")
			if !ok || !ok2 || !strings.Contains(string(minimal), old) {
				t.Fatalf("%s is not a case: write replace, with and refused, each on a line of its own", file)
			}
			_, err := Parse("t.yaml", []byte(strings.Replace(string(minimal), old, replacement, 1)))
			if err == nil {
				t.Fatal("the file was accepted")
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

func TestLoadChecksAcrossFiles(t *testing.T) {
	file := func(currency string, tariffs ...string) *fstest.MapFile {
		text := "jurisdiction: x\ncurrency: " + currency + "\nstatus: published\nsources: [y]\ntariffs:\n"
		for _, tariff := range tariffs {
			id, alternative, _ := strings.Cut(tariff, ">")
			text += "  - {id: " + id + ", name: n, kind: other, alternative: \"" + alternative + "\", tables: [{from: 2020-01-01, flat: \"1\"}]}\n"
		}
		return &fstest.MapFile{Data: []byte(text)}
	}
	for _, tc := range []struct {
		name  string
		files fstest.MapFS
		want  string
	}{
		{"fine", fstest.MapFS{"a.yaml": file("CNY", "a>b"), "sub/b.yaml": file("CNY", "b"), "README.md": {Data: []byte("# no tariff")}}, ""},
		{"one id in two files", fstest.MapFS{"a.yaml": file("CNY", "a"), "b.yaml": file("CNY", "a")}, `b.yaml: tariff "a" is in a.yaml already; rename one of them`},
		{"alternative missing", fstest.MapFS{"a.yaml": file("CNY", "a>z")}, `a.yaml: tariff "a" has the alternative "z", which no file holds; add it or name another`},
		{"alternative in other money", fstest.MapFS{"a.yaml": file("CNY", "a>b"), "b.yaml": file("GBP", "b")},
			`a.yaml: tariff "a" is in CNY and its alternative "b" in GBP; name one of the same currency`},
		{"alternative of an alternative", fstest.MapFS{"a.yaml": file("CNY", "a>b", "b>c", "c")},
			`a.yaml: tariff "a" has the alternative "b", which has an alternative itself; name a tariff that fits trade use`},
		{"both files wrong", fstest.MapFS{"a.yaml": {Data: []byte("x: 1\n")}, "b.yaml": {Data: []byte("y: 1\n")}}, "a.yaml:1:1: unknown key \"x\"; remove it, or see the documented keys\nb.yaml:1:1: unknown key \"y\"; remove it, or see the documented keys"},
		{"two defaults for a class", fstest.MapFS{"a.yaml": usual("a", "residential"), "b.yaml": usual("b", "residential")},
			`b.yaml: tariff "b" is the default for residential in x, and so is "a" in a.yaml; leave default_for of one of them out`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			book, err := Load(tc.files)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tc.want || (err == nil) != (book != nil) {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func usual(id, class string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("jurisdiction: x\ncurrency: CNY\nstatus: published\nsources: [y]\ntariffs:\n" +
		"  - {id: " + id + ", name: n, kind: " + class + ", default_for: [" + class + "], tables: [{from: 2020-01-01, flat: \"1\"}]}\n")}
}

// TestUsual: the usual tariff of a class is one of the same jurisdiction, or none.
func TestUsual(t *testing.T) {
	book := shipped(t)
	for _, tc := range []struct{ tariff, class, want string }{
		{"res_tou", Commercial, "com_flat"}, {"res_tiered", Residential, "res_tiered"}, {"pub_flat", Industrial, "ind_two_part"},
		{"com_tou", Agricultural, "agr_flat"}, {"gb_res_cap", Commercial, ""}, {"qc_cb", Commercial, "qc_g"}, {"no_such", Residential, ""},
	} {
		if got := book.Usual(tc.tariff, tc.class); got != tc.want {
			t.Errorf("usual %s tariff beside %s is %q, want %q", tc.class, tc.tariff, got, tc.want)
		}
	}
}

func TestShippedFilesNameTheirSources(t *testing.T) {
	book := shipped(t)
	jurisdictions := map[string]bool{}
	for _, id := range book.IDs() {
		tariff := book.Tariff(id)
		jurisdictions[tariff.Jurisdiction] = true
		if len(tariff.Sources) == 0 || tariff.Currency == "" || !book.Known(id) || book.Kind(id) != tariff.Kind {
			t.Errorf("tariff %s: %+v", id, tariff)
		}
	}
	if len(jurisdictions) < 3 {
		t.Errorf("tables of %v only", jurisdictions)
	}
	for id, kind := range map[string]string{
		"res_tiered": Residential, "res_tou": Residential, "com_flat": Commercial, "com_tou": Commercial,
		"ind_two_part": Industrial, "agr_flat": Agricultural, "pub_flat": Other, "no_such": Other,
	} {
		if got := book.Kind(id); got != kind {
			t.Errorf("%s is %s, want %s", id, got, kind)
		}
	}
}

func TestANilBookKnowsNothing(t *testing.T) {
	var book *Book
	if book.Known("res_tiered") || book.Kind("res_tiered") != Other || book.Alternative("res_tiered") != "" || book.Currency("x") != "" || book.Usual("res_tiered", Commercial) != "" || book.IDs() != nil {
		t.Error("a nil book knows a tariff")
	}
	if _, err := book.Recoverable("res_tiered", grid.Residential, 1, 1, 0); err == nil {
		t.Error("a nil book compared tariffs")
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

// FuzzParse: whatever the bytes, parsing ends, and what it accepts can be billed.
func FuzzParse(f *testing.F) {
	f.Add(read(f, "testdata/minimal.yaml"))
	for _, name := range []string{"demo", "ca-quebec", "gb"} {
		f.Add(read(f, "../../configs/tariffs/"+name+".yaml"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := Parse("fuzz.yaml", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz.yaml:") {
				t.Fatalf("error without its place: %v", err)
			}
			return
		}
		for _, tariff := range list {
			book := &Book{tariffs: map[string]*Tariff{tariff.ID: tariff}}
			for _, tb := range tariff.tables {
				if m, err := book.Bill(tariff.ID, 1000, tb.from); err == nil && m.Sign() < 0 {
					t.Fatalf("%s bills %s for 1000 kWh", tariff.ID, m)
				}
			}
		}
	})
}
