package host

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/detect"
)

// knownDetectors refuses names of detectors that there are not.
func knownDetectors(served []detect.PluginStatus, cfg *config.Config) error {
	var there, ours []string
	for _, s := range served {
		there = append(there, s.Name)
		if s.BuiltIn {
			ours = append(ours, s.Name)
		}
	}
	for i, name := range cfg.Plugins.BuiltIn {
		if !slices.Contains(ours, name) {
			return fmt.Errorf("%splugins.built_in: there is no built-in detector %q; leave the key out for all of them, or take names that `gridwarden plugins list` prints", place(cfg, fmt.Sprintf("$.plugins.built_in[%d]", i)), name)
		}
	}
	for i, name := range cfg.Plugins.Shadow {
		if !slices.Contains(there, name) {
			return fmt.Errorf("%splugins.shadow: there is no detector %q; take names that `gridwarden plugins list` prints", place(cfg, fmt.Sprintf("$.plugins.shadow[%d]", i)), name)
		}
	}
	return nil
}

// place says where a key stands, with ": " behind it; "" where there is no file.
func place(cfg *config.Config, path string) string {
	if at := cfg.At(path); at != "" {
		return at + ": "
	}
	return ""
}

var (
	digits    = regexp.MustCompile(`^\d+$`)
	plainName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// fieldPath is the path of a field of a detector's configuration, such as
// $.plugins.configs.undersized.days; it ends where the field's name would not
// fit into a path.
func fieldPath(cfg *config.Config, detector, field string) string {
	path := "$.plugins.configs." + detector
	for i := range cfg.Plugins.ThirdParty {
		if t := &cfg.Plugins.ThirdParty[i]; t.Name == detector {
			path = fmt.Sprintf("$.plugins.third_party[%d].config", i)
		}
	}
	for part := range strings.SplitSeq(field, ".") {
		switch {
		case digits.MatchString(part):
			path += "[" + part + "]"
		case plainName.MatchString(part):
			path += "." + part
		default:
			return path
		}
	}
	return path
}
