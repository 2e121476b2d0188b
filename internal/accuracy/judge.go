package accuracy

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gridwarden/gridwarden/configs"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/dueprocess"
	"github.com/gridwarden/gridwarden/internal/registry"
	"github.com/gridwarden/gridwarden/internal/scan"
	"github.com/gridwarden/gridwarden/internal/tariff"
	"github.com/gridwarden/gridwarden/plugins/builtin"
)

// JudgeLoads writes loads as an export to a folder that it removes again, and
// judges it as `scan --all` does; it returns the risk of each.
func JudgeLoads(ctx context.Context, loads []Load, prior float64) ([]float64, *detect.Result, error) {
	dir, err := os.MkdirTemp("", "gridwarden-accuracy-")
	if err != nil {
		return nil, nil, fmt.Errorf("folder for the export: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := WriteExport(dir, loads); err != nil {
		return nil, nil, err
	}
	result, err := ScanExport(ctx, dir, 0, prior)
	if err != nil {
		return nil, nil, err
	}
	risks := make([]float64, len(loads))
	for i := range result.UsagePoints {
		k, err := strconv.Atoi(result.UsagePoints[i].UsagePointID[1:])
		if err != nil {
			return nil, nil, fmt.Errorf("usage point %q: %w", result.UsagePoints[i].UsagePointID, err)
		}
		risks[k] = result.UsagePoints[i].Risk
	}
	return risks, result, nil
}

// ScanExport judges an export (registry/ and readings/ below dir) by the steps
// of `scan` with what it ships with, in this process. until is the last day, 0
// for that of the readings.
func ScanExport(ctx context.Context, dir string, until curve.Date, prior float64) (*detect.Result, error) {
	uses, err := Uses()
	if err != nil {
		return nil, err
	}
	folder, err := fs.Sub(configs.FS, "tariffs")
	if err != nil {
		return nil, fmt.Errorf("shipped tariffs: %w", err)
	}
	book, err := tariff.Load(folder)
	if err != nil {
		return nil, fmt.Errorf("shipped tariffs: %w", err)
	}
	file := "policies/" + config.Default().Cases.Policy + ".yaml"
	text, err := configs.FS.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("shipped policy: %w", err)
	}
	policy, err := dueprocess.Parse(file, text)
	if err != nil {
		return nil, fmt.Errorf("shipped policy: %w", err)
	}
	network, _, err := registry.LoadDir(filepath.Join(dir, "registry"), uses, registry.WithLocation(time.UTC), registry.WithTariffs(book.IDs()))
	if err != nil {
		return nil, fmt.Errorf("registry of the export:\n%w", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "readings", "*"))
	if err != nil {
		return nil, fmt.Errorf("readings of the export: %w", err)
	}
	o := scan.Options{
		Network: network, Uses: uses, Tariffs: book, Policy: policy, Readings: files, Location: time.UTC, Until: until, Prior: prior, Now: time.Now,
	}
	for _, d := range builtin.Detectors() {
		o.Evaluators = append(o.Evaluators, detect.Local(d))
	}
	days, err := scan.Read(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	outcome, err := scan.Judge(ctx, o, days)
	if err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	if failed := outcome.Result.Failed; len(failed) > 0 {
		return nil, fmt.Errorf("detector %s did not finish: %s", failed[0].Detector, failed[0].Error)
	}
	return outcome.Result, nil
}

// ScanProgram judges an export with the program itself, `scan --all`, and
// returns the risk of each usage point as findings.csv has it.
func ScanProgram(ctx context.Context, program, dir string, prior float64) (map[string]string, error) {
	out := filepath.Join(dir, "scan-out")
	args := []string{"scan", "--registry", filepath.Join(dir, "registry"), "--out", out, "--all", "--prior", number(prior)}
	files, err := filepath.Glob(filepath.Join(dir, "readings", "*"))
	if err != nil {
		return nil, fmt.Errorf("readings of the export: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, append(args, files...)...) //nolint:gosec // the program that the user names
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s scan: %w\n%s", program, err, log.Bytes())
	}
	f, err := os.Open(filepath.Join(out, "findings.csv")) //nolint:gosec // what the program has written
	if err != nil {
		return nil, fmt.Errorf("findings of %s: %w", program, err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("findings of %s: %w", program, err)
	}
	risks := make(map[string]string, len(rows))
	for _, row := range rows[1:] {
		risks[row[1]] = row[5]
	}
	return risks, nil
}

// CheckProgram compares the risks that the program wrote with those of
// ScanExport; they must agree in all six digits that findings.csv has.
func CheckProgram(program map[string]string, result *detect.Result) error {
	if len(program) != len(result.UsagePoints) {
		return fmt.Errorf("the program lists %d usage points, this process %d", len(program), len(result.UsagePoints))
	}
	for i := range result.UsagePoints {
		a := &result.UsagePoints[i]
		wrote, err := strconv.ParseFloat(program[a.UsagePointID], 64)
		if err != nil {
			return fmt.Errorf("risk %q of usage point %s: %w", program[a.UsagePointID], a.UsagePointID, err)
		}
		if rounded, _ := strconv.ParseFloat(strconv.FormatFloat(a.Risk, 'g', 6, 64), 64); rounded != wrote {
			return fmt.Errorf("usage point %s: the program says %v, this process %v; build the program from this tree (make gridwarden)", a.UsagePointID, wrote, rounded)
		}
	}
	return nil
}
