package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Target is where a backup is restored to, and how.
type Target struct {
	Dir string // the new data folder: not there, or empty

	// Database reads the dump: into the new folder, or elsewhere where After
	// is set. Then it comes last, since it cannot be taken back.
	Database func(ctx context.Context, dir string, r io.Reader, detail func(string)) error
	After    bool
	// Stream opens the new folder's streams, or those elsewhere. It is not
	// called where the backup has none.
	Streams func(ctx context.Context, dir string) (Streams, error)

	Progress func(Progress) // may be nil
}

// Streams takes snapshots back.
type Streams interface {
	Restore(ctx context.Context, r io.Reader) error
	Close() error
}

// Restore makes a data folder of a backup: all of it, or nothing. The backup
// is verified first, then everything is put together in DIR.part, which gets
// its name in the end.
func (a *Archive) Restore(ctx context.Context, t Target) (err error) {
	if err := CheckTarget(t.Dir); err != nil {
		return err
	}
	if err := a.Verify(ctx, nil); err != nil {
		return fmt.Errorf("nothing was restored: %w", err)
	}
	dir := filepath.Clean(t.Dir)
	part := dir + ".part"
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := os.Mkdir(part, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there: a restore is under way, or was cut short; remove it", part)
		}
		return fmt.Errorf("restore: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("nothing was restored: %w", err), os.RemoveAll(part))
		}
	}()
	if err := a.into(ctx, part, &t); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil && !t.After {
		return err
	}
	// An empty folder makes room, another one does not.
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err //nolint:wrapcheck // it names the folder
	}
	if err := os.Rename(part, dir); err != nil {
		return err //nolint:wrapcheck // it names both
	}
	return syncDir(filepath.Dir(dir))
}

// CheckTarget refuses a folder that holds something.
func CheckTarget(dir string) error {
	list, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("restore: %w; name a folder", err)
	case len(list) > 0:
		return fmt.Errorf("%s is not empty; name a folder that is new, and point data_dir there afterwards", dir)
	}
	return nil
}

func (a *Archive) into(ctx context.Context, dir string, t *Target) error {
	for _, name := range a.Manifest.Files() {
		if err := a.restoreFile(ctx, dir, name, t.Progress); err != nil {
			return err
		}
	}
	database := func() error {
		return a.part(ctx, DatabasePart, t.Progress, func(r io.Reader, detail func(string)) error { return t.Database(ctx, dir, r, detail) })
	}
	if !t.After {
		if err := database(); err != nil {
			return err
		}
	}
	if err := a.restoreStreams(ctx, dir, t); err != nil {
		return err
	}
	if t.After {
		return database()
	}
	return nil
}

// restoreFile writes a file for its owner's eyes alone.
func (a *Archive) restoreFile(ctx context.Context, dir, name string, progress func(Progress)) error {
	return a.part(ctx, filesPrefix+name, progress, func(r io.Reader, _ func(string)) (err error) {
		path := filepath.Join(dir, filepath.FromSlash(name)) // names were checked when the manifest was read
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err //nolint:wrapcheck // it names the folder
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // below dir
		if err != nil {
			return err //nolint:wrapcheck // it names the file
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		if _, err := io.Copy(f, r); err != nil {
			return err //nolint:wrapcheck // part says of what
		}
		return f.Sync()
	})
}

func (a *Archive) restoreStreams(ctx context.Context, dir string, t *Target) (err error) {
	topics := a.Manifest.Streams()
	if len(topics) == 0 {
		return nil
	}
	streams, err := t.Streams(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, streams.Close()) }()
	for _, topic := range topics {
		err := a.part(ctx, streamsPrefix+topic, t.Progress, func(r io.Reader, _ func(string)) error { return streams.Restore(ctx, r) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Summary says in words what a backup holds.
func (m *Manifest) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "backup of %s (%s), taken %s by gridwarden %s\n", m.Site, m.Source, m.At.Format("2006-01-02 15:04:05 UTC"), m.Program)
	for _, p := range m.Parts {
		about := p.About
		if about != "" {
			about = "  " + about
		}
		fmt.Fprintf(&b, "  %-28s %12d bytes%s\n", p.Name, p.Bytes, about)
	}
	return b.String()
}
