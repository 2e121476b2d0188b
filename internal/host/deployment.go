package host

import (
	"log/slog"
	"path/filepath"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
	"github.com/gridwarden/gridwarden/internal/stream"
)

// StreamConfig is what a configuration says of the stream.
func StreamConfig(cfg *config.Config, log *slog.Logger) stream.Config {
	s := &cfg.Stream
	out := stream.Config{
		Dir: filepath.Join(cfg.DataDir, "stream"), URL: s.URL, Credentials: s.Credentials, TLS: stream.TLS(s.TLS),
		Source: s.Source, Guarantee: stream.Guarantee(s.Guarantee), Leaves: s.Leaves,
		MaxAge: s.Retention.MaxAge, MaxBytes: s.Retention.MaxBytes, Logger: log,
	}
	if l := s.Leaf; l != nil {
		out.Leaf = &stream.Leaf{Hub: l.Hub, Credentials: l.Credentials, TLS: stream.TLS(l.TLS)}
	}
	if l := s.Listen; l != nil {
		out.Listen = &stream.Listen{Leaf: l.Leaf, Client: l.Client, TLS: stream.TLS(l.TLS), UsersFile: l.UsersFile}
	}
	return out
}

// databaseFile is the database's name in the data folder.
const databaseFile = "gridwarden.db"

// Database says where a configuration's database is, and how it is opened.
func Database(cfg *config.Config, log *slog.Logger) (where string, opts []sqlstore.Option) {
	if log != nil {
		opts = append(opts, sqlstore.WithLogger(log))
	}
	if cfg.Database.URL == "" {
		return filepath.Join(cfg.DataDir, databaseFile), opts
	}
	if cfg.Database.PasswordFile != "" {
		opts = append(opts, sqlstore.WithPasswordFile(cfg.Database.PasswordFile))
	}
	return cfg.Database.URL, opts
}
