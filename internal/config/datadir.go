package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/gridwarden/gridwarden/internal/strictyaml"
)

var dataDirLine = regexp.MustCompile(`(?m)^data_dir:.*$`)

// DataDir returns the data folder that a configuration file names, and the
// site's zone, for commands that ask the program which runs with it. They must
// find it even while the rest of the file is wrong; the zone is UTC then.
func DataDir(file string) (string, *time.Location, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", nil, fmt.Errorf("configuration: %w; name a file that can be read with -c", err)
	}
	if c, err := Parse(file, data); err == nil {
		return c.DataDir, c.Location(), nil
	}
	only := struct {
		DataDir string `yaml:"data_dir"`
	}{Default().DataDir}
	if line := dataDirLine.Find(data); line != nil {
		if _, err := strictyaml.Decode(file, line, &only); err != nil {
			return "", nil, fmt.Errorf("the data folder: %w", err)
		}
	}
	if !filepath.IsAbs(only.DataDir) {
		only.DataDir = filepath.Join(filepath.Dir(file), only.DataDir)
	}
	return only.DataDir, time.UTC, nil
}
