package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/outcomes"
)

// Inspections keeps what inspections found. It implements outcomes.Store.
type Inspections struct{ db *DB }

var _ outcomes.Store = (*Inspections)(nil)

// Inspections returns the store of what inspections found.
func (db *DB) Inspections() *Inspections { return &Inspections{db} }

// PutInspections implements outcomes.Store.
func (s *Inspections) PutInspections(ctx context.Context, at time.Time, list []outcomes.Inspection) error {
	return s.db.Write(ctx, func(tx *Tx) error {
		for i := range list {
			data, err := json.Marshal(&list[i])
			if err != nil {
				return fmt.Errorf("inspection of %s: %w", list[i].UsagePointID, err)
			}
			if _, err := tx.exec(ctx, `INSERT INTO inspections (usage_point_id, day, stored, inspection) VALUES (?, ?, ?, ?)
				ON CONFLICT (usage_point_id, day) DO UPDATE SET stored = excluded.stored, inspection = excluded.inspection`,
				list[i].UsagePointID, int64(list[i].Day), at.UnixNano(), data); err != nil {
				return fmt.Errorf("store inspection of %s: %w", list[i].UsagePointID, err)
			}
		}
		return nil
	})
}

// Inspections implements outcomes.Store.
func (s *Inspections) Inspections(ctx context.Context) ([]outcomes.Inspection, error) {
	var out []outcomes.Inspection
	err := s.db.read().query(ctx, func(rows *sql.Rows) error {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		var in outcomes.Inspection
		if err := json.Unmarshal(data, &in); err != nil {
			return fmt.Errorf("stored inspection: %w", err)
		}
		out = append(out, in)
		return nil
	}, `SELECT inspection FROM inspections ORDER BY day, usage_point_id`)
	if err != nil {
		return nil, fmt.Errorf("read inspections: %w", err)
	}
	return out, nil
}

// ResultBefore returns the newest run that was made before a moment, nil where
// none is kept whole.
func (s *Results) ResultBefore(ctx context.Context, before time.Time) (*detect.Result, error) {
	return s.readResult(ctx, `SELECT result FROM detection_runs WHERE at < ? AND considered < ? ORDER BY at DESC, run_id LIMIT 1`, before.UnixNano(), slimState)
}
