package sqlstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	postgresConnections = 16
	connectTimeout      = 10 * time.Second
	idleFor             = 5 * time.Minute
)

// serverSettings are those of a session, where the URL does not set them. A
// statement that hangs, a lock that is never given and a transaction that a
// frozen host holds open must not stop the others for good. Every query names
// keys or sweeps in the order of a key, but a table that an import has just
// begun to fill has no statistics: the planner must not take it for small and
// read all of it for each look-up, nor compile a plan because of the price.
func serverSettings() map[string]string {
	return map[string]string{
		"application_name":                    "gridwarden",
		"statement_timeout":                   "10min",
		"lock_timeout":                        "2min",
		"idle_in_transaction_session_timeout": "10min",
		"timezone":                            "UTC",
		"enable_seqscan":                      "off",
		"jit":                                 "off",
	}
}

func openPostgres(where string, o *options) (*DB, error) {
	name, err := withoutPassword(where)
	if err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(where)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w; write the address as postgres://user@host:5432/name?sslmode=verify-full", name, err)
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	for setting, value := range serverSettings() {
		if cfg.RuntimeParams[setting] == "" {
			cfg.RuntimeParams[setting] = value
		}
	}
	pool := stdlib.OpenDB(*cfg, stdlib.OptionBeforeConnect(func(_ context.Context, cfg *pgx.ConnConfig) error {
		if o.passwordFile == "" {
			return nil
		}
		password, err := readPassword(o.passwordFile)
		cfg.Password = password
		return err
	}))
	pool.SetMaxOpenConns(o.connections)
	pool.SetMaxIdleConns(o.connections)
	pool.SetConnMaxIdleTime(idleFor)
	return &DB{sql: pool, engine: postgresEngine, name: name, host: rand.Text()}, nil
}

// withoutPassword returns the URL as it may be shown.
func withoutPassword(where string) (string, error) {
	u, err := url.Parse(where)
	if err != nil {
		var detail *url.Error
		if errors.As(err, &detail) {
			err = detail.Err // its text holds the whole URL
		}
		return "", fmt.Errorf("address of the database: %w; write it as postgres://user@host:5432/name", err)
	}
	u.RawQuery = "" // it may hold a password too
	return u.Redacted(), nil
}

func readPassword(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("password of the database: %w; name a file that can be read in password_file", err)
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
		return "", fmt.Errorf("password of the database: the first line of %s is empty; write the password there", path)
	}
	return string(line), nil
}
