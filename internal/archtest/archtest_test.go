package archtest

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTree(t *testing.T) {
	tree, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.files) < 20 {
		t.Fatalf("only %d Go files found", len(tree.files))
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, f := range r.check(tree) {
				t.Error(f)
			}
		})
	}
}

// breach is a small tree and what the rule must find in it, in order; an
// empty want is a tree that passes.
type breach struct {
	name  string
	files map[string]string
	want  []string
}

func check(t *testing.T, rule func(*tree) []finding, cases []breach) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for name, data := range tc.files {
				fsys[name] = &fstest.MapFile{Data: []byte(data)}
			}
			tree, err := load(fsys)
			if err != nil {
				t.Fatal(err)
			}
			got := rule(tree)
			if len(got) != len(tc.want) {
				t.Fatalf("found %v, want %q", got, tc.want)
			}
			for i, want := range tc.want {
				if !strings.Contains(got[i].String(), want) {
					t.Errorf("found %q, want it to say %q", got[i], want)
				}
			}
		})
	}
}

// importing is a file of the package in folder that imports paths; those that
// begin with ./ are our own.
func importing(paths ...string) string {
	var b strings.Builder
	b.WriteString("package p\n")
	for _, p := range paths {
		if own, ok := strings.CutPrefix(p, "./"); ok {
			p = module + "/" + own
		}
		b.WriteString("import _ \"" + p + "\"\n")
	}
	return b.String()
}

func TestImports(t *testing.T) {
	one := func(name, file, path, want string) breach {
		b := breach{name: name, files: map[string]string{file: importing(path)}}
		if want != "" {
			b.want = []string{file + ":2: imports " + strings.TrimPrefix(path, "./") + want}
		}
		return b
	}
	check(t, imports, []breach{
		one("detector, SDK", "plugins/x/x.go", "./plugins/sdk/meter", ""),
		one("detector, gonum", "plugins/x/x.go", "gonum.org/v1/gonum/stat", ""),
		one("detector, host", "plugins/x/x.go", "./internal/curve", ": a detector"),
		one("detector's test, host", "plugins/x/x_test.go", "./internal/curve", ": a detector"),
		one("detector, library", "plugins/x/x.go", "github.com/spf13/cobra", ": a detector"),
		one("detector, another", "plugins/x/x.go", "./plugins/y", ": a detector"),
		one("builtin, detectors", "plugins/builtin/b.go", "./plugins/x", ""),
		one("builtin, host", "plugins/builtin/b.go", "./internal/detect", ": the built-in"),
		one("SDK, host", "plugins/sdk/s.go", "./internal/detect", ": the SDK"),
		one("SDK, grpc", "plugins/sdk/s.go", "google.golang.org/grpc", ""),
		one("meter, library", "plugins/sdk/meter/m.go", "golang.org/x/text/language", ": the vocabulary"),
		one("driver, profile", "drivers/modbus/m.go", "./drivers/profile", ""),
		one("driver, contract", "drivers/modbus/m.go", "./drivers", ""),
		one("driver, its own part", "drivers/modbus/m.go", "./drivers/modbus/frame", ""),
		one("driver, another", "drivers/modbus/m.go", "./drivers/opcua", ": a driver"),
		one("driver's test, host", "drivers/modbus/m_test.go", "./internal/sim", ": drivers do not"),
		one("goburrow at home", "drivers/modbus/m.go", "github.com/goburrow/modbus", ""),
		one("goburrow elsewhere", "internal/sim/s.go", "github.com/goburrow/modbus", ", which is confined to drivers/modbus"),
		one("grid, own", "internal/grid/g.go", "./plugins/sdk/meter", ": the network"),
		one("grid, std", "internal/grid/g.go", "sort", ""),
		one("due process, os", "internal/dueprocess/d.go", "os", ": due process"),
		one("due process, CEL", "internal/dueprocess/d.go", "cel.dev/cel-go/cel", ""),
		one("due process, cases", "internal/dueprocess/d.go", "./internal/cases", ": due process"),
		one("cases, due process", "internal/cases/c.go", "./internal/dueprocess", ""),
		one("cases, storage", "internal/cases/c.go", "./internal/sqlstore", ": cases own"),
		one("cases' test, storage", "internal/cases/c_test.go", "./internal/sqlstore", ""),
		one("console, cases", "internal/console/c.go", "./internal/cases", ""),
		one("console, historian", "internal/console/c.go", "./internal/historian", ""),
		one("console, driver", "internal/console/c.go", "./drivers/modbus", ": the console"),
		one("console, stream", "internal/console/c.go", "./internal/stream", ": the console"),
		one("poll, driver", "internal/poll/p.go", "./drivers/modbus", ": polling"),
		one("polling's benchmark, all of it", "internal/poll/bench/path/p.go", "./drivers/modbus", ""),
		one("poll, stream", "internal/poll/p.go", "./internal/stream", ": polling"),
		one("stream, curve", "internal/stream/s.go", "./internal/curve", ": streams"),
		one("curve, detect", "internal/curve/c.go", "./internal/detect", ": curves"),
		one("detect, cases", "internal/detect/d.go", "./internal/cases", ": detection"),
		one("storage, cases", "internal/sqlstore/s.go", "./internal/cases", ""),
		one("storage, console", "internal/sqlstore/s.go", "./internal/console", ": storage"),
		one("simulator, detect", "internal/sim/s.go", "./internal/detect", ": the simulator"),
		one("SQL at home", "internal/sqlstore/s.go", "database/sql", ""),
		one("SQL elsewhere", "internal/host/h.go", "database/sql", ", which is confined to internal/sqlstore"),
		one("influx client at home", "internal/historian/h.go", "github.com/influxdata/influxdb-client-go/v2", ""),
		one("influx server", "internal/historian/h.go", "github.com/influxdata/influxdb/cmd/influxd/run", ", which is confined to nobody"),
		one("NATS elsewhere", "internal/host/h.go", "github.com/nats-io/nats.go", ", which is confined to internal/stream"),
		one("host, by a program", "cmd/gridwarden/m.go", "./internal/host", ""),
		one("host, by another", "internal/console/c_test.go", "./internal/host", ", which is confined to cmd"),
		one("a package's own external test", "internal/host/h_test.go", "./internal/host", ""),
	})
}

func TestNoInit(t *testing.T) {
	check(t, noInit, []breach{
		{"an init", map[string]string{"a/a.go": "package a\n\nfunc init() {}\n"}, []string{"a/a.go:3: has an init"}},
		{"a method", map[string]string{"a/a.go": "package a\ntype t int\nfunc (t) init() {}\n"}, nil},
		{"generated", map[string]string{"a/a.pb.go": "// Code generated by protoc-gen-go. DO NOT EDIT.\npackage a\nfunc init() {}\n"}, nil},
		{"test data", map[string]string{"a/testdata/a.go": "package a\nfunc init() {}\n"}, nil},
	})
}

func TestDocGo(t *testing.T) {
	check(t, docGo, []breach{
		{"elsewhere", map[string]string{"a/a.go": "// Package a is fine.\npackage a\n", "a/b.go": "package a\n"}, []string{"a/doc.go:1: is missing"}},
		{"no comment", map[string]string{"a/doc.go": "package a\n"}, []string{"a/doc.go:1: is missing"}},
		{"fine", map[string]string{"a/doc.go": "// Package a is fine.\npackage a\n", "a/a.go": "package a\n"}, nil},
		{"generated", map[string]string{"a/a.go": "// Code generated by x. DO NOT EDIT.\npackage a\n"}, nil},
		{"one file", map[string]string{"a/a.go": "// Package a is fine.\npackage a\n", "a/a_test.go": "package a\n"}, nil},
		{"one file without", map[string]string{"a/a.go": "package a\n"}, []string{"a/doc.go:1: is missing"}},
		{"a program", map[string]string{"cmd/a/main.go": "// Command a runs.\npackage main\n"}, nil},
		{"a program without", map[string]string{"cmd/a/main.go": "package main\n"}, []string{"cmd/a/doc.go:1"}},
	})
}

func TestLength(t *testing.T) {
	long := "package a\n" + strings.Repeat("//\n", maxLines)
	check(t, length, []breach{
		{"long", map[string]string{"a/a.go": long}, []string{"a/a.go:501: has 501 lines"}},
		{"just fine", map[string]string{"a/a.go": strings.TrimSuffix(long, "//\n")}, nil},
		{"generated", map[string]string{"a/a.go": "// Code generated by x. DO NOT EDIT.\n" + long}, nil},
	})
}

func TestNoSkip(t *testing.T) {
	const body = "package a\nimport \"testing\"\nfunc TestA(t *testing.T) {\n\tt.Skip(\"no peer\")\n}\n"
	check(t, noSkip, []breach{
		{"a skip", map[string]string{"a/a_test.go": body}, []string{"a/a_test.go:4: skips"}},
		{"skip-now", map[string]string{"a/a_test.go": strings.Replace(body, `t.Skip("no peer")`, "t.SkipNow()", 1)}, []string{"a/a_test.go:4: skips"}},
		{"no test", map[string]string{"a/a.go": body}, nil},
		{"a list that skips", map[string]string{"a/a_test.go": strings.Replace(body, "t.Skip", "list.Skip", 1)}, nil},
	})
}

func TestMachinePaths(t *testing.T) {
	home, work := "/"+"root/x", "/"+"work/main"
	check(t, machinePaths, []breach{
		{"home", map[string]string{"README.md": "see\n" + home + " for more"}, []string{"README.md:2: names " + home}},
		{"in code", map[string]string{"a/a.go": "package a\nconst p = \"" + work + "/bin\"\n"}, []string{"a/a.go:2: names " + work}},
		{"in a script", map[string]string{".ci/run": "cd " + work + "\n"}, []string{".ci/run:1"}},
		{"registry", map[string]string{"package-lock.json": `"resolved": "https://registry.npmjs` + `.org/x"`}, []string{"package-lock.json:1: names registry"}},
		{"relative", map[string]string{"a/a.go": "package a\nconst p = \"testdata/home/x\" // and internal/work/x\n"}, nil},
		{"fetched", map[string]string{"a/node_modules/x/README.md": home}, nil},
	})
}

func TestGoMod(t *testing.T) {
	check(t, goMod, []breach{
		{"server", map[string]string{"go.mod": "module m\nrequire github.com/influxdata/influxdb v1.8.10\n"}, []string{"go.mod:2: requires"}},
		{"client", map[string]string{"go.mod": "module m\nrequire github.com/influxdata/influxdb-client-go/v2 v2.14.0\n"}, nil},
	})
}

func TestBrokenFile(t *testing.T) {
	_, err := load(fstest.MapFS{"a/a.go": &fstest.MapFile{Data: []byte("package")}})
	if err == nil || !strings.Contains(err.Error(), "a/a.go:1") {
		t.Errorf("error %v", err)
	}
}
