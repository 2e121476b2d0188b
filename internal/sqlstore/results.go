package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gridwarden/gridwarden/internal/detect"
)

// keptRuns is how many detection runs stay in the database; findings that
// matter live on in their cases.
const keptRuns = 90

// Results keeps detection runs. It implements detect.ResultStore.
type Results struct{ db *DB }

var _ detect.ResultStore = (*Results)(nil)

// Results returns the store of detection runs.
func (db *DB) Results() *Results { return &Results{db} }

// SaveResult stores a run; a run with the same id is replaced.
func (s *Results) SaveResult(ctx context.Context, r *detect.Result) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("detection run %s: %w", r.RunID, err)
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			`INSERT INTO detection_runs (run_id, at, result) VALUES (?, ?, ?)
			 ON CONFLICT (run_id) DO UPDATE SET at = excluded.at, result = excluded.result`,
			r.RunID, r.At.UnixNano(), data)
		if err != nil {
			return fmt.Errorf("store detection run %s: %w", r.RunID, err)
		}
		_, err = tx.ExecContext(ctx,
			`DELETE FROM detection_runs WHERE run_id NOT IN (SELECT run_id FROM detection_runs ORDER BY at DESC LIMIT ?)`, keptRuns)
		if err != nil {
			return fmt.Errorf("forget old detection runs: %w", err)
		}
		return nil
	})
}

// LatestResult returns the newest run, nil where there is none yet.
func (s *Results) LatestResult(ctx context.Context) (*detect.Result, error) {
	var data []byte
	err := s.db.sql.QueryRowContext(ctx, `SELECT result FROM detection_runs ORDER BY at DESC LIMIT 1`).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the latest detection run: %w", err)
	}
	var r detect.Result
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("stored detection run: %w", err)
	}
	return &r, nil
}
