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
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM registry_records`); err != nil {
			return fmt.Errorf("replace registry: %w", err)
		}
		stmt, err := tx.PrepareContext(ctx, `INSERT INTO registry_records (kind, seq, record) VALUES (?, ?, ?)`)
		if err != nil {
			return fmt.Errorf("store registry: %w", err)
		}
		defer func() { _ = stmt.Close() }()
		insert := func(kind string, seq int, record any) error {
			data, err := json.Marshal(record)
			if err != nil {
				return fmt.Errorf("registry record %s %d: %w", kind, seq, err)
			}
			if _, err := stmt.ExecContext(ctx, kind, seq, data); err != nil {
				return fmt.Errorf("store registry record %s %d: %w", kind, seq, err)
			}
			return nil
		}
		return firstError(
			insertAll(insert, "transformer", n.Transformers),
			insertAll(insert, "customer", n.Customers),
			insertAll(insert, "usage_point", n.UsagePoints),
			insertAll(insert, "watchlist", n.Watchlist),
			insertAll(insert, "ip_assignment", n.IPAssignments),
			insertAll(insert, "weather", n.Weather),
			insertAll(insert, "calendar", n.Calendar),
			insertAll(insert, "unmetered", n.Unmetered),
		)
	})
}

func insertAll[T any](insert func(kind string, seq int, record any) error, kind string, records []T) error {
	for i := range records {
		if err := insert(kind, i, &records[i]); err != nil {
			return err
		}
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
	rows, err := s.db.sql.QueryContext(ctx, `SELECT kind, record FROM registry_records ORDER BY kind, seq`)
	if err != nil {
		return nil, fmt.Errorf("read registry: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var r grid.Records
	count := 0
	for rows.Next() {
		var kind string
		var data []byte
		if err := rows.Scan(&kind, &data); err != nil {
			return nil, fmt.Errorf("read registry: %w", err)
		}
		if err := appendRecord(&r, kind, data); err != nil {
			return nil, fmt.Errorf("stored registry record of kind %s: %w", kind, err)
		}
		count++
	}
	if err := rows.Err(); err != nil {
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
