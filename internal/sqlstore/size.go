package sqlstore

import (
	"context"
	"fmt"
)

// Size returns how many bytes the database takes, without its log.
func (db *DB) Size(ctx context.Context) (int64, error) {
	query := `SELECT (SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count) * (SELECT page_size FROM pragma_page_size)`
	if db.engine == postgresEngine {
		query = `SELECT pg_database_size(current_database())`
	}
	var size int64
	if err := db.read().queryRow(ctx, query).Scan(&size); err != nil {
		return 0, fmt.Errorf("size of the database: %w", err)
	}
	return size, nil
}
