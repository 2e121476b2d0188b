package kit

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// goVersion is the lowest version of Go that the SDK builds with.
const goVersion = "1.26.8"

// goMod returns go.mod and, where the SDK's sources are at hand, go.sum: what
// the sources build with is known then, and the project builds at once.
func (o *Options) goMod() ([]file, error) {
	if o.SDK == "" {
		text := fmt.Sprintf("module %s\n\ngo %s\n\nrequire %s %s\n", o.Module, goVersion, sdkModule, o.Version)
		return []file{{"go.mod", []byte(text)}}, nil
	}
	sources, err := filepath.Abs(o.SDK)
	if err != nil {
		return nil, fmt.Errorf("finding the SDK's sources: %w", err)
	}
	mod, err := os.ReadFile(filepath.Join(sources, "go.mod")) //nolint:gosec // the author says where
	if err != nil || !strings.HasPrefix(string(mod), "module "+sdkModule+"\n") {
		return nil, fmt.Errorf("%s does not hold the sources of %s; give the folder with its go.mod", o.SDK, sdkModule)
	}
	sums, err := os.ReadFile(filepath.Join(sources, "go.sum")) //nolint:gosec // the author says where
	if err != nil {
		return nil, fmt.Errorf("reading the checksums of the SDK's modules: %w", err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "module %s\n\ngo %s\n\nrequire %s v0.0.0\n\nrequire (\n", o.Module, versionOfGo(string(mod)), sdkModule)
	for _, line := range needed(string(mod)) {
		fmt.Fprintf(&text, "\t%s // indirect\n", line)
	}
	fmt.Fprintf(&text, ")\n\nreplace %s => %s\n", sdkModule, quoted(sources))
	return []file{{"go.mod", []byte(text.String())}, {"go.sum", sums}}, nil
}

// versionOfGo returns the version that a go.mod asks for.
func versionOfGo(mod string) string {
	if m := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(mod); m != nil {
		return m[1]
	}
	return goVersion
}

// quoted writes a path for go.mod, which takes Go's strings where need be.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t\"'`()[]{},\\") {
		return fmt.Sprintf("%q", path)
	}
	return path
}

// needed returns the "path version" of the modules that the SDK builds with.
func needed(mod string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^(?:require)?\s*(\S+) (v\S+)`).FindAllStringSubmatch(mod, -1) {
		if slices.Contains(sdkModules(), m[1]) {
			out = append(out, m[1]+" "+m[2])
		}
	}
	return out
}

// sdkModules lists the modules that a detector is linked from.
func sdkModules() []string {
	return []string{
		"github.com/fatih/color",
		"github.com/golang/protobuf",
		"github.com/hashicorp/go-hclog",
		"github.com/hashicorp/go-plugin",
		"github.com/hashicorp/yamux",
		"github.com/mattn/go-colorable",
		"github.com/mattn/go-isatty",
		"github.com/oklog/run",
		"golang.org/x/net",
		"golang.org/x/sync",
		"golang.org/x/sys",
		"golang.org/x/text",
		"google.golang.org/genproto/googleapis/rpc",
		"google.golang.org/grpc",
		"google.golang.org/protobuf",
	}
}
