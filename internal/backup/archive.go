package backup

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync/atomic"
)

// Archive is a backup that is being read. Close it.
type Archive struct {
	Manifest *Manifest
	file     *os.File
	parts    map[string]*zip.File
}

// boundedReaderAt fails once more was read than an honest archive needs for
// its directory.
type boundedReaderAt struct {
	file *os.File
	left atomic.Int64
	free atomic.Bool
}

// ReadAt implements io.ReaderAt.
func (b *boundedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if !b.free.Load() && b.left.Add(-int64(len(p))) < 0 {
		return 0, fmt.Errorf("its directory is larger than %d bytes; %w", maxDirectory, errHostile)
	}
	return b.file.ReadAt(p, off) //nolint:wrapcheck // the file names itself
}

// Open reads what a backup says of itself. The parts' checksums are looked at
// by Verify, and again when a part is read.
func Open(file string) (_ *Archive, err error) {
	f, err := os.Open(file) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	a := &Archive{file: f, parts: make(map[string]*zip.File)}
	if err := a.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("backup %s: %w", file, err), f.Close())
	}
	return a, nil
}

func (a *Archive) read() error {
	info, err := a.file.Stat()
	if err != nil {
		return err //nolint:wrapcheck // Open says of what
	}
	in := &boundedReaderAt{file: a.file}
	in.left.Store(maxDirectory)
	z, err := zip.NewReader(in, info.Size())
	if err != nil {
		if errors.Is(err, zip.ErrFormat) {
			err = fmt.Errorf("%w: it was cut off, or is something else", errHostile)
		}
		return err
	}
	in.free.Store(true)
	if len(z.File) > maxParts+1 {
		return fmt.Errorf("%d parts; %w", len(z.File), errHostile)
	}
	var manifest *zip.File
	total := uint64(0)
	for _, f := range z.File {
		switch {
		case f.Name == manifestName && manifest == nil:
			manifest = f
		case !validName(f.Name), a.parts[f.Name] != nil:
			return fmt.Errorf("part %q; %w", clip(f.Name), errHostile)
		default:
			a.parts[f.Name] = f
		}
		// Stored parts cannot grow, and together they fit into the file.
		total += f.CompressedSize64
		if f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 || f.CompressedSize64 > uint64(info.Size()) || total > uint64(info.Size()) {
			return fmt.Errorf("part %q is not stored as it should be; %w", clip(f.Name), errHostile)
		}
	}
	if manifest == nil {
		return fmt.Errorf("no %s; %w", manifestName, errHostile)
	}
	r, err := manifest.Open()
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	defer r.Close() //nolint:errcheck // read only
	if a.Manifest, err = readManifest(r); err != nil {
		return err
	}
	return a.agree()
}

// agree holds the manifest against what is there.
func (a *Archive) agree() error {
	if len(a.Manifest.Parts) != len(a.parts) {
		return fmt.Errorf("the manifest names %d parts and there are %d; %w", len(a.Manifest.Parts), len(a.parts), errHostile)
	}
	for _, p := range a.Manifest.Parts {
		f := a.parts[p.Name]
		if f == nil {
			return fmt.Errorf("part %s is missing; %w", p.Name, errHostile)
		}
		if int64(f.UncompressedSize64) != p.Bytes { //nolint:gosec // no more than the file's size
			return fmt.Errorf("part %s has %d bytes and not %d; %w", p.Name, f.UncompressedSize64, p.Bytes, errDamaged)
		}
	}
	return nil
}

// errDamaged is returned where a part is not what the manifest says.
var errDamaged = errors.New("the backup is damaged; take another one")

// Close closes the file.
func (a *Archive) Close() error { return a.file.Close() } //nolint:wrapcheck // it names the file

// Verify reads all parts and compares them with their checksums.
func (a *Archive) Verify(ctx context.Context, progress func(Progress)) error {
	for _, p := range a.Manifest.Parts {
		err := a.part(ctx, p.Name, progress, func(r io.Reader, _ func(string)) error {
			_, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, make([]byte, 1<<20))
			return err //nolint:wrapcheck // part says of which
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// part hands a part to read, and fails unless it was read to its end and is
// what the manifest says.
func (a *Archive) part(ctx context.Context, name string, progress func(Progress), read func(r io.Reader, detail func(string)) error) error {
	want := a.partOf(name)
	f := a.parts[name]
	if want == nil || f == nil {
		return fmt.Errorf("part %s is missing; %w", name, errDamaged)
	}
	in, err := f.Open()
	if err != nil {
		return fmt.Errorf("part %s: %w", name, err)
	}
	defer in.Close() //nolint:errcheck // read only
	r := &partReader{ctx: ctx, in: in, sum: sha256.New(), progress: progress, at: Progress{Part: name, Total: want.Bytes}}
	if err := read(r, func(detail string) { r.at.Detail = detail }); err != nil {
		if errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) || errors.Is(err, io.ErrUnexpectedEOF) && r.at.Bytes < want.Bytes {
			err = errDamaged
		}
		return fmt.Errorf("part %s: %w", name, err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // what a reader did not care for counts too
		if errors.Is(err, zip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errDamaged
		}
		return fmt.Errorf("part %s: %w", name, err)
	}
	if hex.EncodeToString(r.sum.Sum(nil)) != want.SHA256 {
		return fmt.Errorf("part %s: wrong checksum; %w", name, errDamaged)
	}
	r.report(true)
	return nil
}

func (a *Archive) partOf(name string) *Part {
	for i := range a.Manifest.Parts {
		if a.Manifest.Parts[i].Name == name {
			return &a.Manifest.Parts[i]
		}
	}
	return nil
}

// partReader counts and sums what is read of a part.
type partReader struct {
	ctx      context.Context
	in       io.Reader
	sum      hash.Hash
	progress func(Progress)
	at       Progress
}

// Read implements io.Reader.
func (r *partReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.in.Read(p)
	r.sum.Write(p[:n])
	r.at.Bytes += int64(n)
	r.report(false)
	return n, err //nolint:wrapcheck // part says of what
}

func (r *partReader) report(done bool) {
	r.at.Done = done
	if r.progress != nil {
		r.progress(r.at)
	}
}
