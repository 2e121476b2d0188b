package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// wideFormat is the shape of one wide file.
type wideFormat struct {
	file      string
	columns   int // p1…pN, the repeated hour's included
	interval  time.Duration
	dateFirst bool // date stands before meter_id
}

// mostColumns is how many columns are looked at: those of a day and some more.
const mostColumns = 400

// newWideFormat matches the header of a wide file; what is wrong is added to problems.
func newWideFormat(file string, line []byte, problems *textfile.Problems) *wideFormat {
	fields, err := textfile.SplitCSV(line, nil)
	if err != nil {
		problems.Add(file, 1, err.Error(), "")
		return nil
	}
	if len(fields) > mostColumns {
		problems.Add(file, 1, fmt.Sprintf("has %d columns", len(fields)), "the columns are meter_id, date, p1 to pN; a day has at most 300 intervals")
		return nil
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = string(f)
	}
	known := []string{"meter_id", "date"}
	for i := 1; i <= 300; i++ {
		known = append(known, fmt.Sprint("p", i))
	}
	before := problems.Len()
	for i, name := range names {
		switch {
		case slices.Index(names, name) != i:
			problems.Add(file, 1, fmt.Sprintf("column %s stands there twice", textfile.Quote(name)), "drop one of them")
		case !slices.Contains(known, name):
			mend := "the columns are meter_id, date, p1 to pN"
			if near := textfile.Nearest(name, known); near != "" && name != "" {
				mend = fmt.Sprintf("did you mean %s?", near)
			}
			problems.Add(file, 1, fmt.Sprintf("unknown column %s", textfile.Quote(name)), mend)
		}
	}
	for _, name := range known[:2] {
		if !slices.Contains(names, name) {
			problems.Add(file, 1, fmt.Sprintf("column %s is missing", name), "the columns are meter_id, date, p1 to pN")
		}
	}
	if problems.Len() > before {
		return nil
	}
	w := &wideFormat{file: file, columns: len(names) - 2, dateFirst: names[0] == "date"}
	for i, name := range names {
		if want := fmt.Sprint("p", i-1); i < 2 == strings.HasPrefix(name, "p") || i >= 2 && name != want {
			problems.Add(file, 1, fmt.Sprintf("column %d is %s", i+1, name), "meter_id and date come first, then p1 to pN in order")
			return nil
		}
	}
	interval, ok := intervalFor(w.columns)
	if !ok {
		problems.Add(file, 1, fmt.Sprintf("%d interval columns", w.columns),
			"a day has 24, 48, 96 or 288 of them, or 25, 50, 100 or 300 with those of a repeated hour")
		return nil
	}
	w.interval = interval
	return w
}

func (w *wideFormat) name() string { return fmt.Sprintf("wide CSV, %d intervals", w.columns) }

// wideParser parses blocks of one wide file; one goroutine uses it.
type wideParser struct {
	*wideFormat
	maker
	layouts *layouts
	dates   dates
	slab    slab
	fields  [][]byte
	joined  []byte
}

func (w *wideFormat) newParser(location *time.Location, m maker) *wideParser {
	return &wideParser{wideFormat: w, maker: m, layouts: newLayouts(location, w.interval, w.columns), slab: slab{keeps: m.keepsDays()}}
}

// maxBlockProblems bounds what one block reports: the rest has the same cause.
const maxBlockProblems = 50

// parse turns the lines of a block into meter-days.
func (p *wideParser) parse(block textfile.Block, b *batch) {
	if p.keepsDays() {
		rows := bytes.Count(block.Data, newline) + 1
		b.days = make([]curve.Day, 0, rows)
		if p.yield == yieldFeatures {
			b.features = make([]curve.Features, 0, rows)
		}
	}
	line := block.FirstLine
	for data := block.Data; len(data) > 0; line++ {
		row, rest := textfile.CutLine(data)
		if len(row) == 0 || line == 1 {
			data = rest
			continue // line 1 is the header
		}
		b.rows++
		if err := p.row(b, data, len(row)); err != nil {
			b.problems.Add(p.file, line, err.Error(), "")
			if b.problems.Len() >= maxBlockProblems {
				break
			}
		}
		data = rest
	}
}

// row reads the first size bytes of text.
func (p *wideParser) row(b *batch, text []byte, size int) error {
	row := text[:size]
	first := bytes.IndexByte(row, ',')
	if first < 0 {
		return p.widthError(row)
	}
	second := bytes.IndexByte(row[first+1:], ',')
	if second < 0 {
		return p.widthError(row)
	}
	second += first + 1
	if bytes.IndexByte(row[:second], '"') >= 0 { // a quoted id may hold commas
		return p.quotedRow(b, row)
	}
	err := p.day(b, row[:first], row[first+1:second], text[second+1:], size-second-1)
	if errors.Is(err, errQuoted) {
		return p.quotedRow(b, row)
	}
	return err
}

// errQuoted says that a field is quoted.
var errQuoted = errors.New("a field is quoted")

// quotedRow reads a row with quoted fields.
func (p *wideParser) quotedRow(b *batch, row []byte) error {
	var err error
	if p.fields, err = textfile.SplitCSV(row, p.fields[:0]); err != nil {
		return fmt.Errorf("%w", err)
	}
	if len(p.fields) != p.columns+2 {
		return fmt.Errorf("has %d fields, the header has %d; give every interval a field, empty where it is missing", len(p.fields), p.columns+2)
	}
	p.joined = p.joined[:0]
	for i, field := range p.fields[2:] {
		if i > 0 {
			p.joined = append(p.joined, ',')
		}
		if field = trimField(field); bytes.ContainsAny(field, `",`) {
			return notANumber(i, field)
		}
		p.joined = append(p.joined, field...)
	}
	return p.day(b, p.fields[0], p.fields[1], p.joined, len(p.joined))
}

// day reads one meter-day, its values being the first size bytes of text.
func (p *wideParser) day(b *batch, id, day, text []byte, size int) error {
	if p.dateFirst {
		id, day = day, id
	}
	id = bytes.TrimSpace(id)
	if err := checkID(id); err != nil {
		return err
	}
	date, err := p.dates.parse(bytes.TrimSpace(day))
	if err != nil {
		return err
	}
	l := p.layouts.of(date)
	number, err := p.number(id)
	if err != nil {
		return err
	}
	d := p.slab.day(p.at(number).id, l, p.interval)
	d.Origin = p.origin
	var counts curve.Counts
	if err := p.values(d.EnergyKWh, l, text, size, &counts); err != nil {
		return err
	}
	p.finish(b, &d, number, &counts)
	p.slab.back(&d)
	return nil
}

var comma, newline = []byte{','}, []byte{'\n'}

func (p *wideParser) widthError(row []byte) error {
	return fmt.Errorf("has %d fields, the header has %d; give every interval a field, empty where it is missing", bytes.Count(row, comma)+1, p.columns+2)
}

func notANumber(column int, field []byte) error {
	return fmt.Errorf("p%d %s is not a number; write kWh as 0.25, empty where it is missing", column+1, textfile.Quote(string(field)))
}

// values reads the interval columns, the first size bytes of text, into
// energy. Eight bytes are looked at at once as far as text goes, also past
// size: what stands behind a row begins with the end of its line, which is no
// part of a number.
func (p *wideParser) values(energy []float64, l *layout, text []byte, size int, counts *curve.Counts) error {
	column, pos := 0, 0
	if l.even {
		// The last column ends without a comma.
		quick := energy[:min(l.intervals, p.columns-1)]
		for column < len(quick) && pos+8 <= len(text) {
			word := binary.LittleEndian.Uint64(text[pos:])
			if n, ok := readThousandths(word); ok {
				quick[column] = float64(n) / 1000
				pos += thousandthsSize
			} else if n, decimals, length, ok := readShort(word); ok {
				quick[column] = float64(n) / powersOfTen[decimals]
				pos += length + 1
			} else {
				v, end, err := p.value(text[:size], pos, column)
				if err != nil {
					return err
				}
				quick[column], pos = v, end+1
			}
			column++
		}
	} else {
		fill(energy, math.NaN())
	}
	for ; column < p.columns; column++ {
		v, end, err := p.value(text[:size], pos, column)
		if err != nil {
			return err
		}
		pos = end + 1
		if slot := l.slot[column]; slot >= 0 {
			energy[slot] = v
		} else if v == v && v != 0 {
			counts[curve.RuleNoSuchHour]++
		}
	}
	if pos <= size {
		return fmt.Errorf("has more fields than the %d of the header; drop what follows p%d", p.columns+2, p.columns)
	}
	return nil
}

// value reads the field of row that begins at pos and returns where it ends;
// an empty one is NaN.
func (p *wideParser) value(row []byte, pos, column int) (v float64, end int, err error) {
	if pos > len(row) {
		return 0, 0, fmt.Errorf("has %d fields, the header has %d; give every interval a field, empty where it is missing", column+2, p.columns+2)
	}
	field := row[pos:]
	if n := bytes.IndexByte(field, ','); n >= 0 {
		field = field[:n]
	}
	end = pos + len(field)
	if len(field) == 0 {
		return math.NaN(), end, nil
	}
	if v, ok := parseNumber(field); ok {
		return v, end, nil
	}
	if bytes.IndexByte(field, '"') >= 0 {
		return 0, 0, errQuoted
	}
	field = bytes.TrimSpace(field)
	if len(field) == 0 {
		return math.NaN(), end, nil
	}
	v, ok := parseNumber(field)
	if !ok {
		return 0, 0, notANumber(column, field)
	}
	return v, end, nil
}
