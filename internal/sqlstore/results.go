package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/gridwarden/gridwarden/internal/detect"
)

// keptRuns is how many detection runs stay in the database; findings that
// matter live on in their cases.
const keptRuns = 90

// largestRun bounds the JSON of a stored run, bytes.
const largestRun = 8 << 30

// Results keeps detection runs, compressed. It implements detect.ResultStore.
type Results struct{ db *DB }

var _ detect.ResultStore = (*Results)(nil)

// Results returns the store of detection runs.
func (db *DB) Results() *Results { return &Results{db} }

// SaveResult stores a run; a run with the same id is replaced.
func (s *Results) SaveResult(ctx context.Context, r *detect.Result) error {
	data, err := compressResult(r)
	if err != nil {
		return fmt.Errorf("detection run %s: %w", r.RunID, err)
	}
	told, err := json.Marshal(map[string]string{"run_id": r.RunID})
	if err != nil {
		return fmt.Errorf("detection run %s: %w", r.RunID, err)
	}
	letter := Letter{Topic: topicFindings, Key: "run." + r.RunID, MsgID: fmt.Sprintf("run.%s/%d", r.RunID, r.At.UnixNano()), Data: told}
	return s.db.Write(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `INSERT INTO detection_runs (run_id, at, result, considered) VALUES (?, ?, ?, 0)
			ON CONFLICT (run_id) DO UPDATE SET at = excluded.at, result = excluded.result, considered = 0`,
			r.RunID, r.At.UnixNano(), data)
		if err != nil {
			return fmt.Errorf("store detection run %s: %w", r.RunID, err)
		}
		if _, err = tx.exec(ctx, `DELETE FROM detection_runs WHERE run_id NOT IN
			(SELECT run_id FROM detection_runs ORDER BY at DESC, run_id LIMIT ?)`, keptRuns); err != nil {
			return fmt.Errorf("forget old detection runs: %w", err)
		}
		if err := tx.post(ctx, []Letter{letter}); err != nil {
			return fmt.Errorf("tell of detection run %s: %w", r.RunID, err)
		}
		return nil
	})
}

// LatestResult returns the newest run, nil where there is none yet.
func (s *Results) LatestResult(ctx context.Context) (*detect.Result, error) {
	return s.readResult(ctx, `SELECT result FROM detection_runs ORDER BY at DESC, run_id LIMIT 1`)
}

// Result returns a run by its id, nil where it is not there (any more).
func (s *Results) Result(ctx context.Context, runID string) (*detect.Result, error) {
	return s.readResult(ctx, `SELECT result FROM detection_runs WHERE run_id = ?`, runID)
}

// MarkConsidered says that cases were opened from a run where they should be.
func (s *Results) MarkConsidered(ctx context.Context, runID string) error {
	return s.db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE detection_runs SET considered = 1 WHERE run_id = ?`, runID); err != nil {
			return fmt.Errorf("mark detection run %s: %w", runID, err)
		}
		return nil
	})
}

// Considered reports whether a run was marked so, true also where it is not
// there (any more): nothing is left to do about it.
func (s *Results) Considered(ctx context.Context, runID string) (bool, error) {
	var considered int
	err := s.db.read().queryRow(ctx, `SELECT considered FROM detection_runs WHERE run_id = ?`, runID).Scan(&considered)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read detection run %s: %w", runID, err)
	}
	return considered != 0, nil
}

func (s *Results) readResult(ctx context.Context, query string, args ...any) (*detect.Result, error) {
	var data []byte
	err := s.db.read().queryRow(ctx, query, args...).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read detection run: %w", err)
	}
	r, err := expandResult(data)
	if err != nil {
		return nil, fmt.Errorf("stored detection run: %w; restore the database from a backup", err)
	}
	return r, nil
}

func compressResult(r *detect.Result) ([]byte, error) {
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := errors.Join(json.NewEncoder(w).Encode(r), w.Close()); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return out.Bytes(), nil
}

// expandResult reads what compressResult wrote, or the plain JSON of earlier
// releases.
func expandResult(data []byte) (*detect.Result, error) {
	var in io.Reader = bytes.NewReader(data)
	if !bytes.HasPrefix(data, []byte("{")) {
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(largestRun))
		if err != nil {
			return nil, fmt.Errorf("expand: %w", err)
		}
		defer z.Close()
		in = z
	}
	r := new(detect.Result)
	if err := json.NewDecoder(in).Decode(r); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return r, nil
}
