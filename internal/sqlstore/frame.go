package sqlstore

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// A dump is a first line and frames: length, kind and payload, checksum of
// both. The last frame holds the SHA-256 of all before it, so that a dump that
// was cut or put together from two is noticed.
const (
	dumpLine   = "gridwarden dump 1\n"
	frameTable = 'T' // a table begins: name and columns
	frameRows  = 'R' // rows of it
	frameEnd   = 'E' // the SHA-256 of what came before

	// largestFrame is one row of the largest value that an engine stores.
	largestFrame = 1<<30 + 1<<16
)

// errDump says that a stream is no dump, or not a whole one.
var errDump = errors.New("not a whole dump; take another copy of it")

// frameWriter writes frames.
type frameWriter struct {
	out io.Writer
	sum hash.Hash
}

func newFrameWriter(w io.Writer) (*frameWriter, error) {
	f := &frameWriter{sum: sha256.New()}
	f.out = io.MultiWriter(w, f.sum)
	if _, err := io.WriteString(f.out, dumpLine); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	return f, nil
}

func (f *frameWriter) write(kind byte, payload []byte) error {
	var head [5]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(payload)))
	head[4] = kind
	sum := crc32.Update(crc32.Checksum(head[4:], castagnoli()), castagnoli(), payload)
	for _, part := range [][]byte{head[:], payload, binary.LittleEndian.AppendUint32(nil, sum)} {
		if _, err := f.out.Write(part); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

func (f *frameWriter) end() error { return f.write(frameEnd, f.sum.Sum(nil)) }

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// frameReader reads frames and checks them.
type frameReader struct {
	in      io.Reader
	sum     hash.Hash
	payload bytes.Buffer
}

func newFrameReader(r io.Reader) (*frameReader, error) {
	f := &frameReader{in: bufio.NewReaderSize(r, 1<<16), sum: sha256.New()}
	line := make([]byte, len(dumpLine))
	if _, err := io.ReadFull(f.in, line); err != nil || string(line) != dumpLine {
		return nil, fmt.Errorf("%w (it does not begin as one)", errDump)
	}
	f.sum.Write(line)
	return f, nil
}

// next returns the next frame; the payload is valid until the next call. The
// last one is frameEnd.
func (f *frameReader) next() (kind byte, payload []byte, err error) {
	want := f.sum.Sum(nil)
	var head [5]byte
	if _, err := io.ReadFull(f.in, head[:]); err != nil {
		return 0, nil, fmt.Errorf("%w (it ends early: %w)", errDump, err)
	}
	length := binary.LittleEndian.Uint32(head[:])
	if length > largestFrame {
		return 0, nil, fmt.Errorf("%w (a piece of %d bytes)", errDump, length)
	}
	f.payload.Reset()
	// Read as it comes, so that a wrong length takes no memory.
	if n, err := io.CopyN(&f.payload, f.in, int64(length)+crc32.Size); err != nil {
		return 0, nil, fmt.Errorf("%w (it ends early, after %d bytes of a piece: %w)", errDump, n, err)
	}
	f.sum.Write(head[:])
	f.sum.Write(f.payload.Bytes())
	payload = f.payload.Bytes()[:length]
	sum := crc32.Update(crc32.Checksum(head[4:], castagnoli()), castagnoli(), payload)
	if binary.LittleEndian.Uint32(f.payload.Bytes()[length:]) != sum {
		return 0, nil, fmt.Errorf("%w (a checksum is wrong)", errDump)
	}
	if head[4] == frameEnd {
		if !bytes.Equal(payload, want) {
			return 0, nil, fmt.Errorf("%w (the checksum of all is wrong)", errDump)
		}
	}
	return head[4], payload, nil
}
