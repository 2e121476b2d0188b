package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
)

// Kinds of generated configuration.
const (
	genGridwarden = "gridwarden"
	genTelegraf   = "telegraf"
	genJSON       = "json"
	genCommand    = "cmd:"
)

// tokenVariable names the environment variable with the token that
// Gridwarden sends to the sink, which looks at none.
const tokenVariable = "GRIDWARDEN_BENCH_TOKEN"

// writeConfig writes the collector's configuration into a folder and returns
// its path, the {cfg} of the collector's command.
func (r *runner) writeConfig(c *Case, list []Device, dir, sink string) (string, error) {
	text, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return "", fmt.Errorf("list of devices: %w", err)
	}
	asJSON, err := file(dir, "devices.json", string(text))
	switch {
	case err != nil || r.gen == genJSON:
		return asJSON, err
	case r.gen == genGridwarden:
		return gridwarden(list, dir, sink)
	case r.gen == genTelegraf:
		return file(dir, "collector.conf", r.telegraf(c, list, sink))
	}
	out := filepath.Join(dir, "collector.conf")
	command := exec.Command(strings.TrimPrefix(r.gen, genCommand), asJSON, out) //nolint:gosec // named by the caller for this
	if said, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", r.gen, err, said)
	}
	return out, nil
}

// file writes a file of a folder and returns its path.
func file(dir, name, text string) (string, error) {
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", fmt.Errorf("folder of the case: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("configuration: %w", err)
	}
	return path, nil
}

// gridwarden writes a configuration of Gridwarden: the devices alone, no
// records, no detectors, and the sink as historian.
func gridwarden(list []Device, dir, sink string) (string, error) {
	if _, err := file(dir, "profiles/bench.yaml", fleet.Profile()); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("id,url,profile,meter_id,interval\n")
	for _, d := range list {
		fmt.Fprintf(&b, "%s,modbus://%s:%d/%d,bench,%s,%dms\n", d.Name, d.Host, d.Port, d.Unit, d.Name, d.IntervalMS)
	}
	if _, err := file(dir, "devices.csv", b.String()); err != nil {
		return "", err
	}
	return file(dir, "gridwarden.yaml", fmt.Sprintf(`site: {name: Polling benchmark}
data_dir: data
profiles: profiles
device_files: [devices.csv]
historian: {url: "http://%s", org: o, bucket: b, token_env: %s}
plugins: {built_in: []}
console: {listen: "127.0.0.1:0"}
`, sink, tokenVariable))
}
