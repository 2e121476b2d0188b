package pluginstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// MaxProgramBytes is the largest file that is kept.
const MaxProgramBytes = 1 << 30

// Modes of what is kept: nobody writes it, and only we read and run it.
const (
	folderMode  = 0o700
	programMode = 0o500
)

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Store keeps programs by their SHA-256. The folder belongs to the host: nobody
// else may write it. Its methods are safe for concurrent use, by several
// processes too.
type Store struct {
	dir string
}

// Open returns the store in the folder dir, which is made when something is
// kept first. A folder that others may write is refused.
func Open(dir string) (*Store, error) {
	if dir == "" {
		return nil, errors.New("the plugins' store has no folder; name one in plugins.store")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("the plugins' store: %w", err)
	}
	s := &Store{dir: dir}
	switch info, err := os.Lstat(dir); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("the plugins' store: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("the plugins' store %s is not a folder; name another in plugins.store", dir)
	case info.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("the plugins' store %s may be written by others (%v); take that right away: chmod go-w %s", dir, info.Mode().Perm(), dir)
	}
	return s, nil
}

// Keep copies the program at path into the store and returns its SHA-256 and
// where the copy lies. What is kept already is not copied again.
func (s *Store) Keep(ctx context.Context, path string) (sum, kept string, err error) {
	return s.keep(ctx, path, false)
}

// KeepLinked is Keep for a program that nobody changes in place, such as the
// running one: a second name of the same file, where the system allows it, in
// place of a copy. Find tells when its content changed after all.
func (s *Store) KeepLinked(ctx context.Context, path string) (sum, kept string, err error) {
	return s.keep(ctx, path, true)
}

func (s *Store) keep(ctx context.Context, path string, link bool) (string, string, error) {
	from, err := openRegular(path)
	if err != nil {
		return "", "", err
	}
	defer from.Close() //nolint:errcheck // read only
	sum, err := sumOf(ctx, from)
	if err != nil {
		return "", "", fmt.Errorf("keeping %s: %w", path, err)
	}
	kept := s.file(sum)
	if _, ok := s.Find(sum); ok {
		return sum, kept, nil
	}
	if err := os.MkdirAll(filepath.Dir(kept), folderMode); err != nil {
		return "", "", fmt.Errorf("the plugins' store: %w", err)
	}
	if link && s.link(path, kept, sum) {
		return sum, kept, nil
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return "", "", fmt.Errorf("keeping %s: %w", path, err)
	}
	if err := place(ctx, from, kept, sum, programMode); err != nil {
		return "", "", fmt.Errorf("keeping %s: %w", path, err)
	}
	return sum, kept, nil
}

// link gives the file a second name in the store, where that is possible and
// the name leads to what was checked.
func (s *Store) link(path, kept, sum string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil || os.Link(real, kept) != nil {
		return false
	}
	if _, ok := s.Find(sum); ok {
		return true
	}
	_ = os.Remove(kept)
	return false
}

// Find returns where the program with that SHA-256 is kept. One whose content
// is no longer what it was counts as gone.
func (s *Store) Find(sum string) (path string, ok bool) {
	if !sha256Hex.MatchString(sum) {
		return "", false
	}
	path = s.file(sum)
	f, err := openRegular(path)
	if err != nil {
		return "", false
	}
	defer f.Close() //nolint:errcheck // read only
	found, err := sumOf(context.Background(), f)
	return path, err == nil && found == sum
}

func (s *Store) file(sum string) string { return filepath.Join(s.dir, "files", sum) }

// place writes what from holds under the name, all of it or nothing. The
// content must have the checksum.
func place(ctx context.Context, from io.Reader, name, sum string, mode os.FileMode) (err error) {
	// A process that is forked while the file is open for writing holds it
	// open until it has become the other program; the kernel would refuse to
	// run the file meanwhile ("text file busy").
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	to, err := os.CreateTemp(filepath.Dir(name), "new-")
	if err != nil {
		return fmt.Errorf("making a file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(to.Name())
		}
	}()
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, h), reader{ctx, from})
	if err == nil && hex.EncodeToString(h.Sum(nil)) != sum {
		err = errors.New("it changed while it was read; do not write to a plugin while it is taken up")
	}
	if err == nil {
		err = errors.Join(to.Chmod(mode), to.Sync())
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err = os.Rename(to.Name(), name); err != nil {
		return fmt.Errorf("putting it in its place: %w", err)
	}
	return nil
}

// openRegular opens a file that is one, and no pipe or device that would never
// end.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file and what is wrong
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file; name one", path)
	}
	if err == nil && info.Size() > MaxProgramBytes {
		err = fmt.Errorf("%s has %d bytes; at most %d are taken", path, info.Size(), MaxProgramBytes)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func sumOf(ctx context.Context, r io.Reader) (string, error) {
	h := sha256.New()
	n, err := io.Copy(h, reader{ctx, io.LimitReader(r, MaxProgramBytes+1)})
	if err != nil {
		return "", fmt.Errorf("reading it: %w", err)
	}
	if n > MaxProgramBytes {
		return "", fmt.Errorf("it has more than %d bytes", MaxProgramBytes)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// reader ends when its context does.
type reader struct {
	ctx  context.Context
	from io.Reader
}

// Read implements io.Reader.
func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p) //nolint:wrapcheck // io.EOF must stay what it is
}
