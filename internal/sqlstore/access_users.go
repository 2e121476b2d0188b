package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/access"
)

// Users keeps who may come in. It implements access.Store.
type Users struct{ db *DB }

var _ access.Store = (*Users)(nil)

// Users returns the store of users.
func (db *DB) Users() *Users { return &Users{db} }

// Add implements access.Store.
func (s *Users) Add(ctx context.Context, r access.Record) error {
	return s.put(ctx, r, access.ErrExists, `INSERT INTO users (display_name, roles, hash, created, disabled, login)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (login) DO NOTHING`)
}

// Update implements access.Store.
func (s *Users) Update(ctx context.Context, r access.Record) error {
	return s.put(ctx, r, access.ErrNotFound,
		`UPDATE users SET display_name = ?, roles = ?, hash = ?, created = ?, disabled = ? WHERE login = ?`)
}

// put runs one statement that must touch one row; untouched is returned where it touches none.
func (s *Users) put(ctx context.Context, r access.Record, untouched error, statement string) error {
	roles, err := json.Marshal(r.Roles)
	if err != nil {
		return fmt.Errorf("login %q: %w", r.Login, err)
	}
	return s.db.Write(ctx, func(tx *Tx) error {
		disabled := 0
		if r.Disabled {
			disabled = 1
		}
		n, err := tx.exec(ctx, statement, r.DisplayName, string(roles), r.Hash, r.Created.UnixNano(), disabled, r.Login)
		if err != nil {
			return fmt.Errorf("store user: %w", err)
		}
		if n == 0 {
			return fmt.Errorf("login %q: %w", r.Login, untouched)
		}
		return nil
	})
}

const userColumns = `login, display_name, roles, hash, created, disabled`

// Get implements access.Store.
func (s *Users) Get(ctx context.Context, login string) (access.Record, error) {
	r, err := scanUser(s.db.read().queryRow(ctx, `SELECT `+userColumns+` FROM users WHERE login = ?`, login))
	if errors.Is(err, sql.ErrNoRows) {
		return access.Record{}, fmt.Errorf("login %q: %w", login, access.ErrNotFound)
	}
	return r, err
}

// List implements access.Store.
func (s *Users) List(ctx context.Context) ([]access.User, error) {
	users := []access.User{}
	err := s.db.read().query(ctx, func(rows *sql.Rows) error {
		r, err := scanUser(rows)
		users = append(users, r.User)
		return err
	}, `SELECT `+userColumns+` FROM users ORDER BY login`)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

func scanUser(row interface{ Scan(...any) error }) (access.Record, error) {
	var r access.Record
	var roles string
	var created, disabled int64
	if err := row.Scan(&r.Login, &r.DisplayName, &roles, &r.Hash, &created, &disabled); err != nil {
		return access.Record{}, fmt.Errorf("read user: %w", err)
	}
	r.Disabled = disabled != 0
	r.Created = time.Unix(0, created).UTC()
	if err := json.Unmarshal([]byte(roles), &r.Roles); err != nil {
		return access.Record{}, fmt.Errorf("stored roles are damaged: %w; restore the database from a backup", err)
	}
	return r, nil
}
