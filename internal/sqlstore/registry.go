package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/gridwarden/gridwarden/internal/grid"
)

// Registry keeps one snapshot of the network's records.
type Registry struct{ db *DB }

// Registry returns the store of the network's records.
func (db *DB) Registry() *Registry { return &Registry{db} }

// SaveNetwork replaces the stored snapshot by n, all or none.
func (s *Registry) SaveNetwork(ctx context.Context, n *grid.Network) error {
	return s.db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `DELETE FROM registry_records`); err != nil {
			return fmt.Errorf("replace registry: %w", err)
		}
		return firstError(
			insertRecords(ctx, tx, "transformer", n.Transformers),
			insertRecords(ctx, tx, "customer", n.Customers),
			insertRecords(ctx, tx, "usage_point", n.UsagePoints),
			insertRecords(ctx, tx, "watchlist", n.Watchlist),
			insertRecords(ctx, tx, "ip_assignment", n.IPAssignments),
			insertRecords(ctx, tx, "weather", n.Weather),
			insertRecords(ctx, tx, "calendar", n.Calendar),
			insertRecords(ctx, tx, "unmetered", n.Unmetered),
			insertRecords(ctx, tx, "meter_event", n.MeterEvents),
		)
	})
}

func insertRecords[T any](ctx context.Context, tx *Tx, kind string, records []T) error {
	err := tx.insertRows(ctx, "registry_records", []string{"kind", "seq", "record"}, "", len(records), func(i int) ([]any, error) {
		data, err := json.Marshal(&records[i])
		if err != nil {
			return nil, fmt.Errorf("registry record %s %d: %w", kind, i, err)
		}
		return []any{kind, i, data}, nil
	})
	if err != nil {
		return fmt.Errorf("store registry: %w", err)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// LoadNetwork returns the stored snapshot, nil where none was saved yet.
func (s *Registry) LoadNetwork(ctx context.Context) (*grid.Network, error) {
	var r grid.Records
	count := 0
	err := s.db.read().query(ctx, func(rows *sql.Rows) error {
		var kind string
		var data sql.RawBytes
		if err := rows.Scan(&kind, &data); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		if err := appendRecord(&r, kind, data); err != nil {
			return fmt.Errorf("record of kind %s: %w", kind, err)
		}
		count++
		return nil
	}, `SELECT kind, record FROM registry_records ORDER BY kind, seq`)
	if err != nil {
		return nil, fmt.Errorf("read registry: %w", err)
	}
	if count == 0 {
		return nil, nil
	}
	return grid.NewNetwork(r), nil
}

func appendRecord(r *grid.Records, kind string, data []byte) error {
	switch kind {
	case "transformer":
		return appendJSON(&r.Transformers, data)
	case "customer":
		return appendJSON(&r.Customers, data)
	case "usage_point":
		return appendJSON(&r.UsagePoints, data)
	case "watchlist":
		return appendJSON(&r.Watchlist, data)
	case "ip_assignment":
		return appendJSON(&r.IPAssignments, data)
	case "weather":
		return appendJSON(&r.Weather, data)
	case "calendar":
		return appendJSON(&r.Calendar, data)
	case "unmetered":
		return appendJSON(&r.Unmetered, data)
	case "meter_event":
		return appendJSON(&r.MeterEvents, data)
	}
	return fmt.Errorf("unknown kind; the database was written by a newer version")
}

func appendJSON[T any](list *[]T, data []byte) error {
	var record T
	if err := json.Unmarshal(data, &record); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	*list = append(*list, record)
	return nil
}
