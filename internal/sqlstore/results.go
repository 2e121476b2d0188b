package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/gridwarden/gridwarden/internal/detect"
)

// keptRuns is how many detection runs stay in the database as they are. Older
// ones keep what it takes to replay their findings: the findings themselves and
// what the run was given. Those of some three years do.
const (
	keptRuns  = 90
	keptSlim  = 1100
	slimState = 2 // added to considered
)

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
		if err := tx.forgetRuns(ctx); err != nil {
			return fmt.Errorf("forget old detection runs: %w", err)
		}
		if err := tx.post(ctx, []Letter{letter}); err != nil {
			return fmt.Errorf("tell of detection run %s: %w", r.RunID, err)
		}
		return nil
	})
}

// forgetRuns makes the old runs slim and drops the very old ones.
func (tx *Tx) forgetRuns(ctx context.Context) error {
	type old struct {
		id   string
		data []byte
	}
	var list []old
	err := tx.query(ctx, func(rows *sql.Rows) error {
		var o old
		if err := rows.Scan(&o.id, &o.data); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		list = append(list, o)
		return nil
	}, `SELECT run_id, result FROM detection_runs WHERE considered < ? AND run_id NOT IN
		(SELECT run_id FROM detection_runs ORDER BY at DESC, run_id LIMIT ?)`, slimState, keptRuns)
	if err != nil {
		return err
	}
	for _, o := range list {
		r, err := expandResult(o.data)
		if err != nil {
			return fmt.Errorf("run %s: %w", o.id, err)
		}
		slim(r)
		data, err := compressResult(r)
		if err != nil {
			return fmt.Errorf("run %s: %w", o.id, err)
		}
		if _, err := tx.exec(ctx, `UPDATE detection_runs SET result = ?, considered = considered + ? WHERE run_id = ?`, data, slimState, o.id); err != nil {
			return fmt.Errorf("run %s: %w", o.id, err)
		}
	}
	_, err = tx.exec(ctx, `DELETE FROM detection_runs WHERE run_id NOT IN
		(SELECT run_id FROM detection_runs ORDER BY at DESC, run_id LIMIT ?)`, keptSlim)
	return err
}

// slim leaves of a run what replaying its findings takes.
func slim(r *detect.Result) {
	r.Shadow = nil
	r.UsagePoints = slices.DeleteFunc(r.UsagePoints, func(a detect.Assessment) bool { return len(a.Findings) == 0 })
	r.Transformers = slices.DeleteFunc(r.Transformers, func(a detect.TransformerAssessment) bool { return len(a.Findings) == 0 })
	for i := range r.UsagePoints {
		r.UsagePoints[i].Contributions = nil
	}
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
		if _, err := tx.exec(ctx, `UPDATE detection_runs SET considered = 1 WHERE run_id = ? AND considered = 0`, runID); err != nil {
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
