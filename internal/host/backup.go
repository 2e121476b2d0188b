package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gridwarden/gridwarden/internal/backup"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/control"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
	"github.com/gridwarden/gridwarden/internal/stream"
)

// BackupOptions say what BackUp does beside the configuration.
type BackupOptions struct {
	Program        string // version
	File           string
	WithoutStreams bool
	Progress       func(backup.Progress)
}

// BackUp takes a backup of an installation, whether its program runs or not.
// The streams of a running program are asked for over its control socket.
func BackUp(ctx context.Context, cfg *config.Config, o BackupOptions) (_ *backup.Manifest, err error) {
	if info, err := os.Stat(cfg.DataDir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("data_dir: there is no folder %s; start the program once, or name its configuration", cfg.DataDir)
	}
	where, opts := Database(cfg, nil)
	if cfg.Database.URL == "" {
		if _, err := os.Stat(where); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no database %s; start the program once, or name its configuration", where)
		}
	}
	db, err := sqlstore.Open(ctx, where, opts...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	source := backup.Source{
		Program: o.Program, Site: cfg.Site.Name, Where: placeOf(cfg), DataDir: cfg.DataDir, PKI: cfg.PKI(), Progress: o.Progress, Now: time.Now,
		Database: func(ctx context.Context, w io.Writer, detail func(string)) error {
			return db.Dump(ctx, w, rowsOf(detail))
		},
	}
	if !o.WithoutStreams {
		snapshots, done, err := openSnapshots(ctx, cfg)
		if err != nil {
			return nil, err
		}
		defer done()
		for _, t := range stream.Topics() {
			source.Topics = append(source.Topics, string(t))
		}
		source.Stream = func(ctx context.Context, topic string, w io.Writer) error {
			err := snapshots.SnapshotStream(ctx, topic, w)
			if errors.Is(err, control.ErrNoTopic) {
				return backup.ErrNotThere
			}
			return err
		}
	}
	return backup.Create(ctx, o.File, source)
}

// openSnapshots finds who has the streams: the program that runs, the servers
// of the configuration, or nobody, and then this process has.
func openSnapshots(ctx context.Context, cfg *config.Config) (s control.BackupService, done func(), err error) {
	if cfg.Stream.URL == "" {
		client := control.NewClient(cfg.DataDir)
		running, err := client.Running(ctx)
		if err != nil {
			return nil, nil, err
		}
		if running {
			return client, func() {}, nil
		}
		if _, err := os.Stat(StreamConfig(cfg, nil).Dir); errors.Is(err, fs.ErrNotExist) {
			return noStreams{}, func() {}, nil
		}
	}
	desk, err := OpenStreamDesk(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	return desk, desk.Close, nil
}

// noStreams are those of a data folder in which no program has run yet.
type noStreams struct{}

// SnapshotStream implements control.BackupService.
func (noStreams) SnapshotStream(context.Context, string, io.Writer) error { return control.ErrNoTopic }

// placeOf says in words where an installation's things are.
func placeOf(cfg *config.Config) string {
	place := "data folder " + cfg.DataDir
	if cfg.Database.URL != "" {
		place += ", database elsewhere"
	}
	if cfg.Stream.URL != "" {
		place += ", streams elsewhere"
	}
	return place
}

func rowsOf(detail func(string)) func(table string, rows int64) {
	return func(table string, rows int64) { detail(fmt.Sprintf("%s: %d rows", table, rows)) }
}

// RestoreBackup makes the data folder of a configuration, which must be new or
// empty, and its database and streams where they lie elsewhere.
func RestoreBackup(ctx context.Context, a *backup.Archive, cfg *config.Config, progress func(backup.Progress)) error {
	return a.Restore(ctx, backup.Target{
		Dir: cfg.DataDir, After: cfg.Database.URL != "", Progress: progress,
		Database: func(ctx context.Context, dir string, r io.Reader, detail func(string)) (err error) {
			there := *cfg
			there.DataDir = dir
			where, opts := Database(&there, nil)
			db, err := sqlstore.Open(ctx, where, opts...)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			return db.Restore(ctx, r, rowsOf(detail))
		},
		Streams: func(ctx context.Context, dir string) (backup.Streams, error) {
			c := StreamConfig(cfg, slog.New(slog.DiscardHandler))
			c.Dir, c.AsIs, c.Leaf, c.Listen = filepath.Join(dir, "stream"), true, nil, nil
			c.MaxBytes = max(c.MaxBytes, roomForAny)
			s, err := stream.Open(ctx, c)
			if err != nil {
				return nil, err
			}
			return restoredStreams{s}, nil
		},
	})
}

// roomForAny is more than any stream may keep: what the streams were allowed
// where the backup was taken is theirs until the program runs with a
// configuration again.
const roomForAny = 1 << 44

// restoredStreams implements backup.Streams.
type restoredStreams struct{ stream *stream.Stream }

// Restore implements backup.Streams.
func (s restoredStreams) Restore(ctx context.Context, r io.Reader) error {
	_, err := s.stream.RestoreSnapshot(ctx, r)
	return err
}

// Close implements backup.Streams.
func (s restoredStreams) Close() error {
	s.stream.Close()
	return nil
}
