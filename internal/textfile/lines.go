package textfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxLine is the longest line that is read, in bytes. A wide row of 300
// intervals takes about 3 kB; a line of megabytes is never data.
const MaxLine = 1 << 20

// Block is a run of whole lines.
type Block struct {
	Data      []byte // ends with a newline, except perhaps the last of the file
	FirstLine int    // number of the first line
	Consumed  int64  // bytes of the file on disk read when the block was cut
}

// Blocks cuts a source into runs of whole lines, each checked to be UTF-8 and
// with no line above MaxLine; it never holds more than a block and a line.
type Blocks struct {
	file string
	src  io.Reader
	used func() int64
	size int
	rest []byte
	line int
	done bool
}

// NewBlocks cuts src, named file in problems, into blocks of about size bytes.
func NewBlocks(file string, src io.Reader, size int) *Blocks {
	b := &Blocks{file: file, src: src, size: size, line: 1, used: func() int64 { return 0 }}
	if s, ok := src.(*Source); ok {
		b.used = s.Consumed
	}
	return b
}

// Next returns the next block, io.EOF after the last. buf is reused where it
// is large enough; the block is the caller's until it gives buf back.
func (b *Blocks) Next(buf []byte) (Block, error) {
	if b.done && len(b.rest) == 0 {
		return Block{}, io.EOF
	}
	buf = append(buf[:0], b.rest...)
	b.rest = b.rest[:0]
	for !b.done {
		if cap(buf)-len(buf) < 64<<10 {
			grown := make([]byte, len(buf), 2*cap(buf)+b.size)
			copy(grown, buf)
			buf = grown
		}
		start := len(buf)
		limit := min(cap(buf), start+max(b.size, 64<<10))
		n, err := b.src.Read(buf[start:limit])
		buf = buf[:start+n]
		switch {
		case errors.Is(err, io.EOF):
			b.done = true
		case err != nil:
			return Block{}, Problem{File: b.file, Line: b.line + bytes.Count(buf, newline),
				What: fmt.Sprintf("cannot be read further (%v)", err), Mend: "copy the file again, it may be cut short or damaged"}
		}
		last := bytes.LastIndexByte(buf, '\n')
		if len(buf)-1-last > MaxLine {
			return Block{}, b.tooLong(b.line + bytes.Count(buf, newline))
		}
		if len(buf) >= b.size && last >= 0 && !b.done {
			b.rest = append(b.rest, buf[last+1:]...)
			buf = buf[:last+1]
			break
		}
	}
	return b.check(buf)
}

var newline = []byte{'\n'}

func (b *Blocks) tooLong(line int) Problem {
	return Problem{File: b.file, Line: line,
		What: fmt.Sprintf("line is longer than %d bytes", MaxLine),
		Mend: "give one record a line, ended by a newline"}
}

func (b *Blocks) check(data []byte) (Block, error) {
	block := Block{Data: data, FirstLine: b.line, Consumed: b.used()}
	if b.line == 1 {
		block.Data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	}
	if len(block.Data) == 0 {
		return Block{}, io.EOF
	}
	if !plain(block.Data) || longLine(block.Data) {
		if err := b.findFault(block); err != nil {
			return Block{}, err
		}
	}
	b.line += bytes.Count(block.Data, newline)
	return block, nil
}

// plain reports whether data is ASCII without zero bytes.
func plain(data []byte) bool {
	if bytes.IndexByte(data, 0) >= 0 {
		return false
	}
	var a, b uint64
	for len(data) >= 16 {
		a |= binary.NativeEndian.Uint64(data)
		b |= binary.NativeEndian.Uint64(data[8:])
		data = data[16:]
	}
	for _, c := range data {
		a |= uint64(c)
	}
	const highs = 0x8080808080808080
	return (a|b)&highs == 0
}

// longLine reports whether a line of data is longer than MaxLine.
func longLine(data []byte) bool {
	for len(data) > MaxLine {
		end := bytes.LastIndexByte(data[:MaxLine+1], '\n')
		if end < 0 {
			return true
		}
		data = data[end+1:]
	}
	return false
}

func (b *Blocks) findFault(block Block) error {
	line := block.FirstLine
	for rest := block.Data; len(rest) > 0; line++ {
		row := rest
		if end := bytes.IndexByte(rest, '\n'); end >= 0 {
			row, rest = rest[:end], rest[end+1:]
		} else {
			rest = nil
		}
		switch {
		case len(row) > MaxLine:
			return b.tooLong(line)
		case bytes.IndexByte(row, 0) >= 0:
			return Problem{File: b.file, Line: line, What: "holds a zero byte", Mend: "save the file as UTF-8 text (it may be UTF-16 or binary)"}
		case !utf8.Valid(row):
			return Problem{File: b.file, Line: line, What: "is not UTF-8", Mend: "save the file as UTF-8"}
		}
	}
	return nil
}

// Lines walks a source line by line; use it where speed does not matter.
type Lines struct {
	blocks *Blocks
	block  Block
	line   int
	text   []byte
	err    error
}

// NewLines returns the lines of src, named file in problems.
func NewLines(file string, src io.Reader) *Lines {
	return &Lines{blocks: NewBlocks(file, src, 64<<10)}
}

// Next moves to the next line and reports whether there is one.
func (l *Lines) Next() bool {
	if l.err != nil {
		return false
	}
	if len(l.block.Data) == 0 {
		block, err := l.blocks.Next(nil)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				l.err = err
			}
			return false
		}
		l.block, l.line = block, block.FirstLine-1
	}
	l.text, l.block.Data = CutLine(l.block.Data)
	l.line++
	return true
}

// Text returns the current line without its end; it is valid until Next.
func (l *Lines) Text() []byte { return l.text }

// Number returns the current line's number.
func (l *Lines) Number() int { return l.line }

// Err returns what stopped the walk, nil at the end of the file.
func (l *Lines) Err() error { return l.err }

// CutLine returns the first line of data, without \n or \r\n, and what follows it.
func CutLine(data []byte) (line, rest []byte) {
	line = data
	if end := bytes.IndexByte(data, '\n'); end >= 0 {
		line, rest = data[:end], data[end+1:]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, rest
}
