package textfile

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// zstdMemory bounds what a hostile zstd frame may ask for.
const zstdMemory = 256 << 20

// Source is an opened file: decompressed content, and the compressed bytes
// consumed so far for progress displays.
type Source struct {
	io.Reader
	counter *countingReader
	closers []func() error
	Size    int64 // bytes on disk
}

// Consumed returns how many bytes on disk have been read.
func (s *Source) Consumed() int64 { return s.counter.n }

// Close releases the file.
func (s *Source) Close() error {
	var first error
	for i := len(s.closers) - 1; i >= 0; i-- {
		if err := s.closers[i](); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Open opens path, decompressing by its ending: .gz, .zst, else plain.
func Open(path string) (*Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("stat: %w", err)
	}
	if info.IsDir() {
		_ = f.Close()
		return nil, Problem{File: path, What: "is a folder", Mend: "name a file"}
	}
	s := &Source{counter: &countingReader{r: f}, Size: info.Size(), closers: []func() error{f.Close}}
	switch {
	case strings.HasSuffix(path, ".gz"):
		z, err := gzip.NewReader(s.counter)
		if err != nil {
			_ = s.Close()
			return nil, Problem{File: path, Line: 1, What: fmt.Sprintf("is no gzip file (%v)", err), Mend: "compress it with gzip, or drop the ending .gz"}
		}
		s.Reader = z
		s.closers = append(s.closers, z.Close)
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewReader(s.counter, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(zstdMemory))
		if err != nil {
			_ = s.Close()
			return nil, Problem{File: path, Line: 1, What: fmt.Sprintf("is no zstd file (%v)", err), Mend: "compress it with zstd, or drop the ending .zst"}
		}
		s.Reader = z
		s.closers = append(s.closers, func() error { z.Close(); return nil })
	default:
		s.Reader = s.counter
	}
	return s, nil
}

// BaseName returns path without its compression ending.
func BaseName(path string) string {
	return strings.TrimSuffix(strings.TrimSuffix(path, ".gz"), ".zst")
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err //nolint:wrapcheck // io.Reader: io.EOF must stay itself
}
