package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/ingest"
)

// Import reads AMI exports into the store: all or nothing.
func (h *Host) Import(ctx context.Context, files []string, progress func(ingest.Progress)) (*ingest.Report, error) {
	report, err := ingest.Into(ctx, ingest.Options{
		Files: files, Location: h.cfg.Location(), Network: h.Network(), Progress: progress,
	}, h.db.Curves())
	if err != nil {
		return nil, fmt.Errorf("import:\n%w", err)
	}
	for _, warning := range report.Warnings {
		h.log.Warn("import", "warning", warning)
	}
	return report, nil
}

// seenFile is what tells whether a file was imported, or refused, already.
type seenFile struct {
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

// importNew imports the configured exports that are new or changed since they
// were looked at last, one by one, and returns how many meter-days came.
func (h *Host) importNew(ctx context.Context) (days int, err error) {
	book := filepath.Join(h.cfg.DataDir, "imports.json")
	seen := make(map[string]seenFile)
	if data, err := os.ReadFile(book); err == nil { //nolint:gosec // inside the data folder
		if err := json.Unmarshal(data, &seen); err != nil {
			return 0, fmt.Errorf("%s is damaged: %w; remove it, and every export is imported again", book, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("imports: %w", err)
	}
	files, err := exportFiles(h.cfg.Readings)
	if err != nil {
		return 0, err
	}
	var problems []error
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.IsDir() {
			continue
		}
		now := seenFile{info.Size(), info.ModTime().UTC()}
		// A file that is still being written is left for the next look.
		if seen[file] == now || h.opts.Now().Sub(info.ModTime()) < time.Second {
			continue
		}
		report, err := h.Import(ctx, []string{file}, nil)
		switch {
		case ctx.Err() != nil:
			return days, fmt.Errorf("imports: %w", ctx.Err())
		case err != nil:
			problems = append(problems, err)
		default:
			days += report.Days
			h.log.Info("export imported", "file", file, "meter_days", report.Days, "meters", report.Meters)
		}
		seen[file] = now
		if err := saveSeen(book, seen); err != nil {
			return days, err
		}
	}
	return days, errors.Join(problems...)
}

// exportFiles resolves the glob patterns, in a stable order.
func exportFiles(patterns []string) ([]string, error) {
	var files []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("readings: %q is not a pattern: %w; write it as /folder/*.csv", pattern, err)
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

func saveSeen(book string, seen map[string]seenFile) error {
	data, err := json.MarshalIndent(seen, "", "  ")
	if err != nil {
		return fmt.Errorf("imports: %w", err)
	}
	part := book + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		return fmt.Errorf("imports: %w", err)
	}
	if err := os.Rename(part, book); err != nil {
		return fmt.Errorf("imports: %w", err)
	}
	return nil
}
