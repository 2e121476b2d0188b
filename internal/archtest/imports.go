package archtest

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// layer says what the packages that it covers may import. Imports that no
// field speaks of are fine.
type layer struct {
	name   string
	covers func(pkg string) bool
	tests  bool // the rule holds for test files too

	own       []string // the only own packages allowed (with what is below them); nil: any
	forbidden []string // own packages or foreign modules refused
	libraries []string // the only foreign modules allowed; nil: any; empty: none
}

func under(dirs ...string) func(string) bool {
	return func(pkg string) bool { return within(pkg, dirs...) }
}

func none() []string { return []string{} }

// detector reports whether pkg belongs to one of the built-in detectors.
func detector(pkg string) bool {
	return within(pkg, "plugins") && !within(pkg, "plugins/sdk", "plugins/builtin")
}

// layers is the import table of the design.
func layers() []layer {
	return []layer{{
		name: "a detector depends on the SDK and numeric libraries alone", covers: detector, tests: true,
		own: []string{"plugins/sdk"}, libraries: []string{"gonum.org/v1/gonum", "pgregory.net/rapid"},
	}, {
		name: "the built-in detectors are put together without the host", covers: under("plugins/builtin"), tests: true,
		own: []string{"plugins"},
	}, {
		name: "the SDK knows nothing of the host", covers: under("plugins/sdk"), tests: true,
		own: []string{"plugins/sdk"},
	}, {
		name: "the vocabulary of measurement needs the standard library alone", covers: under("plugins/sdk/meter"),
		own: none(), libraries: none(),
	}, {
		name: "a driver knows the driver contract, profiles and readings", covers: under("drivers"),
		own: []string{"drivers", "plugins/sdk/meter"},
	}, {
		name: "drivers do not depend on the host, in tests either", covers: under("drivers"), tests: true,
		forbidden: []string{"internal", "cmd"},
	}, {
		name: "the network of the grid needs the standard library alone", covers: under("internal/grid"),
		own: none(), libraries: none(),
	}, {
		name: "due process is pure", covers: under("internal/dueprocess"),
		own: []string{"internal/dueprocess", "internal/strictyaml"}, libraries: []string{"cel.dev", "github.com/goccy/go-yaml"},
		forbidden: []string{"net", "os", "database/sql"},
	}, {
		name: "cases own the interfaces that storage implements", covers: under("internal/cases"),
		forbidden: []string{
			"internal/sqlstore", "internal/console", "internal/api", "internal/host", "internal/historian",
			"internal/stream", "internal/poll", "internal/sim", "drivers", "database/sql",
		},
	}, {
		name: "the console speaks to services, never to drivers or SQL", covers: under("internal/console", "internal/api"),
		own: []string{
			"internal/console", "internal/api", "internal/cases", "internal/dueprocess", "internal/registry", "internal/grid",
			"internal/evidence", "internal/curve", "internal/historian", "internal/detect", "internal/risk", "internal/audit",
			"internal/access", "internal/tariff", "internal/poll", "plugins/sdk", "configs",
		},
		forbidden: []string{"database/sql", "modernc.org/sqlite"},
	}, {
		name:   "polling knows nothing of what comes after it",
		covers: func(pkg string) bool { return within(pkg, "internal/poll") && !within(pkg, "internal/poll/bench") },
		own:    []string{"internal/poll", "drivers", "plugins/sdk/meter"}, forbidden: []string{"drivers/modbus", "drivers/opcua"},
	}, {
		name: "streams and historian carry readings, whatever they mean", covers: under("internal/stream", "internal/historian"),
		own: []string{"internal/stream", "internal/historian", "plugins/sdk/meter"},
	}, {
		name: "curves and their sources do not look downstream", covers: under("internal/curve", "internal/ingest", "internal/registry", "internal/tariff"),
		forbidden: []string{"internal/detect", "internal/risk", "internal/cases", "internal/console", "internal/api", "internal/host", "internal/sqlstore", "internal/sim", "drivers"},
	}, {
		name: "detection does not look downstream", covers: under("internal/detect", "internal/risk"),
		forbidden: []string{"internal/cases", "internal/console", "internal/api", "internal/host", "internal/sqlstore", "internal/sim", "drivers"},
	}, {
		name: "storage implements interfaces of the services", covers: under("internal/sqlstore"),
		forbidden: []string{"internal/console", "internal/api", "internal/host", "internal/sim", "drivers"},
	}, {
		name: "the simulator stands beside the product", covers: under("internal/sim"),
		forbidden: []string{"internal/host", "internal/detect", "internal/risk", "internal/cases", "internal/console", "internal/api", "internal/sqlstore"},
	}}
}

// confined lists modules and packages that only some folders may import.
func confined() map[string][]string {
	return map[string][]string{
		"github.com/goburrow/modbus":                  {"drivers/modbus"},
		"github.com/gopcua/opcua":                     {"drivers/opcua", "internal/sim", "internal/interop"},
		"github.com/nats-io":                          {"internal/stream", "internal/cluster"},
		"github.com/jackc/pgx/v5":                     {"internal/sqlstore"},
		"github.com/influxdata/influxdb-client-go/v2": {"internal/historian"},
		"github.com/hashicorp/go-plugin":              {"plugins/sdk", "internal/detect"},
		"database/sql":                                {"internal/sqlstore"},
		"modernc.org/sqlite":                          {"internal/sqlstore"},
		"github.com/chromedp":                         {"internal/console", "cmd/gridwarden"},
		"github.com/influxdata/influxdb":              nil, // a program beside ours; its client is another module
		"github.com/gridwarden/gridwarden":            nil, // the root has no package
		"internal/host":                               {"cmd"},
		"cmd":                                         nil,
		"internal/archtest":                           nil,
	}
}

func imports(t *tree) []finding {
	var out []finding
	for _, f := range t.files {
		for _, i := range f.imports {
			for _, l := range layers() {
				if l.covers(f.pkg) && (l.tests || !f.test) && !l.allows(f.pkg, i) {
					out = append(out, finding{f.name, i.line, fmt.Sprintf("imports %s: %s", i.path, l.name)})
				}
			}
			if where, ok := home(i); ok && !within(f.pkg, where...) && f.pkg != i.path {
				out = append(out, finding{f.name, i.line, fmt.Sprintf("imports %s, which is confined to %s", i.path, orNobody(where))})
			}
		}
	}
	return out
}

func orNobody(where []string) string {
	if len(where) == 0 {
		return "nobody"
	}
	return strings.Join(where, ", ")
}

func (l layer) allows(pkg string, i imported) bool {
	switch {
	case within(i.path, l.forbidden...):
		return false
	case i.own:
		return l.own == nil || i.path == pkg || within(i.path, l.own...) && siblings(pkg, i.path)
	case i.std():
		return true
	}
	return l.libraries == nil || within(i.path, l.libraries...)
}

// siblings refuses one driver that imports another: below drivers only the
// shared packages are open to all.
func siblings(pkg, other string) bool {
	if !within(pkg, "drivers") || path.Dir(other) != "drivers" {
		return true
	}
	return slices.Contains([]string{"drivers/profile", "drivers/drivertest"}, other) || within(pkg, other)
}

// home returns where an import is at home, and whether it is confined at all.
func home(i imported) ([]string, bool) {
	best, found := "", false
	for p := range confined() {
		if within(i.path, p) && len(p) >= len(best) {
			best, found = p, true
		}
	}
	return confined()[best], found
}
