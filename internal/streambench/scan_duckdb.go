package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

// duckDBResult is what aggregate.js prints.
type duckDBResult struct {
	Seconds   float64 `json:"seconds"`
	Meters    int     `json:"meters"`
	Values    int     `json:"values"`
	Mean      float64 `json:"mean"` // of the meters' means, kWh
	Least     float64 `json:"least"`
	Greatest  float64 `json:"greatest"`
	Deviation float64 `json:"deviation"`
}

// duckDB has DuckDB read a wide file and compute five aggregates a meter.
func duckDB(ctx context.Context, r *Report, file string, points int) (*duckDBResult, Usage, error) {
	folder := filepath.Join("internal", "streambench", "duckdb")
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil {
		return nil, Usage{}, fmt.Errorf("DuckDB is not in %s; run `make peers` in the repository's folder", folder)
	}
	var out bytes.Buffer
	usage, err := r.Process(ctx, &out, "node", filepath.Join(folder, "aggregate.js"), file, strconv.Itoa(points), strconv.Itoa(runtime.GOMAXPROCS(0)))
	if err != nil {
		return nil, usage, fmt.Errorf("DuckDB: %w", err)
	}
	var result duckDBResult
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		return nil, usage, fmt.Errorf("DuckDB: %w: %s", err, out.Bytes())
	}
	return &result, usage, nil
}
