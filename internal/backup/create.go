package backup

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ErrNotThere is returned by Source.Stream for a topic that does not exist,
// which is then left out.
var ErrNotThere = errors.New("not there")

// Source is what is backed up, and how.
type Source struct {
	Program string // version
	Site    string
	Where   string // in words
	DataDir string
	PKI     string // folder; "" where there is none

	// Database writes the dump. detail is told in words how far it is.
	Database func(ctx context.Context, w io.Writer, detail func(string)) error
	// Topics are the streams, in order; Stream writes the snapshot of one.
	Topics []string
	Stream func(ctx context.Context, topic string, w io.Writer) error

	Progress func(Progress) // may be nil
	Now      func() time.Time
}

// Progress is how far a backup or a restore has come.
type Progress struct {
	Part   string
	Bytes  int64 // of the part so far
	Total  int64 // 0 where it is not known
	Detail string
	Done   bool // with the part
}

// Create takes a backup into a file that is not there yet. Until it is whole
// it is called FILE.part; nothing is left where it fails or ctx ends.
func Create(ctx context.Context, file string, s Source) (_ *Manifest, err error) {
	if _, err := os.Lstat(file); err == nil {
		return nil, fmt.Errorf("%s is there already; name another file", file)
	}
	part := file + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the user names it
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is there: a backup is being taken, or was cut short; remove it", part)
	}
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreClosed(f.Close()), os.Remove(part))
		}
	}()
	c := creating{ctx: ctx, source: &s, zip: zip.NewWriter(f), manifest: &Manifest{Format: Format, Program: s.Program, At: s.Now().UTC(), Site: s.Site, Source: s.Where}}
	if err := c.all(); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := f.Sync(); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := os.Link(part, file); err != nil { // never over a file that has come meanwhile
		return nil, fmt.Errorf("backup: %w", err)
	}
	return c.manifest, errors.Join(os.Remove(part), syncDir(filepath.Dir(file)))
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// syncDir makes names in a folder outlast a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the user names it
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer d.Close() //nolint:errcheck // read only
	if err := d.Sync(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// creating is one Create under way.
type creating struct {
	ctx      context.Context
	source   *Source
	zip      *zip.Writer
	manifest *Manifest
}

// all writes the parts in the order that loses nothing; see the package's
// comment.
func (c *creating) all() error {
	if err := c.files(); err != nil {
		return err
	}
	err := c.part(DatabasePart, "the database", func(w *partWriter) error {
		return c.source.Database(c.ctx, w, func(detail string) { w.detail = detail })
	})
	if err != nil {
		return err
	}
	for _, topic := range c.source.Topics {
		err := c.part(streamsPrefix+topic, "stream "+topic, func(w *partWriter) error { return c.source.Stream(c.ctx, topic, w) })
		if err != nil && !errors.Is(err, ErrNotThere) {
			return err
		}
	}
	data, err := json.MarshalIndent(c.manifest, "", " ")
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	w, err := c.zip.CreateHeader(&zip.FileHeader{Name: manifestName, Method: zip.Store, Modified: c.manifest.At})
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if _, err := w.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if err := c.zip.Close(); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	return nil
}

func (c *creating) files() error {
	for _, name := range []string{keyFile, importsFile} {
		if err := c.file(filepath.Join(c.source.DataDir, name), name); err != nil {
			return err
		}
	}
	if c.source.PKI == "" {
		return nil
	}
	err := filepath.WalkDir(c.source.PKI, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		below, err := filepath.Rel(c.source.PKI, path)
		if err != nil {
			return err //nolint:wrapcheck // it names the file
		}
		return c.file(path, pkiFolder+"/"+filepath.ToSlash(below))
	})
	if err != nil {
		return fmt.Errorf("folder %s: %w", c.source.PKI, err)
	}
	return nil
}

func (c *creating) file(path, name string) error {
	data, err := os.ReadFile(path) //nolint:gosec // inside the data folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("data folder: %w", err)
	case len(data) > maxFile:
		return fmt.Errorf("%s has %d bytes; files of the data folder have %d at most", path, len(data), maxFile)
	case !validFile(name):
		return fmt.Errorf("%s: a backup cannot hold a file of this name; rename it", path)
	}
	return c.part(filesPrefix+name, "", func(w *partWriter) error {
		_, err := w.Write(data)
		return err
	})
}

// part writes one part and enters it into the manifest. What write puts into a
// part that turns out not to be there is left out.
func (c *creating) part(name, about string, write func(w *partWriter) error) error {
	w := &partWriter{c: c, name: name, about: about, sum: sha256.New()}
	if err := write(w); err != nil {
		if errors.Is(err, ErrNotThere) {
			if w.out == nil {
				return ErrNotThere
			}
			return fmt.Errorf("%s: it went away meanwhile", name)
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := w.begin(); err != nil { // an empty one is one too
		return err
	}
	c.manifest.Parts = append(c.manifest.Parts, Part{Name: name, Bytes: w.bytes, SHA256: hex.EncodeToString(w.sum.Sum(nil)), About: about})
	w.report(true)
	return nil
}

// partWriter writes one part of the archive, which begins with its first byte.
type partWriter struct {
	c           *creating
	name, about string
	out         io.Writer
	sum         hash.Hash
	bytes       int64
	detail      string
}

func (w *partWriter) begin() (err error) {
	if w.out == nil {
		if w.out, err = w.c.zip.CreateHeader(&zip.FileHeader{Name: w.name, Method: zip.Store, Modified: w.c.manifest.At}); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	return nil
}

// Write implements io.Writer.
func (w *partWriter) Write(data []byte) (int, error) {
	if err := w.c.ctx.Err(); err != nil {
		return 0, err
	}
	if err := w.begin(); err != nil {
		return 0, err
	}
	n, err := w.out.Write(data)
	w.sum.Write(data[:n])
	w.bytes += int64(n)
	w.report(false)
	if err != nil {
		return n, fmt.Errorf("archive: %w", err)
	}
	return n, nil
}

func (w *partWriter) report(done bool) {
	if w.c.source.Progress != nil {
		w.c.source.Progress(Progress{Part: w.name, Bytes: w.bytes, Detail: w.detail, Done: done})
	}
}
