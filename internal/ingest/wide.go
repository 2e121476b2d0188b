package ingest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// wideFormat is the shape of one wide file.
type wideFormat struct {
	file      string
	columns   int // p1…pN, the repeated hour's included
	interval  time.Duration
	dateFirst bool // date stands before meter_id
}

// newWideFormat matches the header of a wide file; what is wrong is added to problems.
func newWideFormat(file string, line []byte, problems *textfile.Problems) *wideFormat {
	fields, err := textfile.SplitCSV(line, nil)
	if err != nil {
		problems.Add(file, 1, err.Error(), "")
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
	ids     interner
	slab    slab
	fields  [][]byte
}

func (w *wideFormat) newParser(location *time.Location, m maker) *wideParser {
	return &wideParser{wideFormat: w, maker: m, layouts: newLayouts(location, w.interval, w.columns), ids: interner{}}
}

// maxBlockProblems bounds what one block reports: the rest has the same cause.
const maxBlockProblems = 50

// parse turns the lines of a block into meter-days.
func (p *wideParser) parse(block textfile.Block) *batch {
	b := newBatch(bytes.Count(block.Data, newline)+1, p.features)
	line := block.FirstLine
	for data := block.Data; len(data) > 0; line++ {
		var row []byte
		row, data = textfile.CutLine(data)
		if len(row) == 0 || line == 1 {
			continue // line 1 is the header
		}
		b.rows++
		if err := p.row(b, row); err != nil {
			b.problems.Add(p.file, line, err.Error(), "")
			if b.problems.Len() >= maxBlockProblems {
				break
			}
		}
	}
	return b
}

func (p *wideParser) row(b *batch, row []byte) error {
	first, rest, ok := bytes.Cut(row, comma)
	second, values, ok2 := bytes.Cut(rest, comma)
	if !ok || !ok2 {
		return p.widthError(row)
	}
	if bytes.IndexByte(row, '"') >= 0 { // a quoted id may hold commas
		var err error
		if p.fields, err = textfile.SplitCSV(row, p.fields[:0]); err != nil {
			return fmt.Errorf("%w", err)
		}
		if len(p.fields) != p.columns+2 {
			return fmt.Errorf("has %d fields, the header has %d; give every interval a field, empty where it is missing", len(p.fields), p.columns+2)
		}
		first, second = p.fields[0], p.fields[1]
		values = bytes.Join(p.fields[2:], comma)
	}
	if p.dateFirst {
		first, second = second, first
	}
	id := bytes.TrimSpace(first)
	if err := checkID(id); err != nil {
		return err
	}
	date, err := p.dates.parse(bytes.TrimSpace(second))
	if err != nil {
		return err
	}
	l := p.layouts.of(date)
	d := p.slab.day(p.ids.of(id), l, p.interval)
	var counts curve.Counts
	if err := p.values(&d, l, values, &counts); err != nil {
		return err
	}
	p.finish(b, d, counts)
	return nil
}

var comma, newline = []byte{','}, []byte{'\n'}

func (p *wideParser) widthError(row []byte) error {
	return fmt.Errorf("has %d fields, the header has %d; give every interval a field, empty where it is missing", bytes.Count(row, comma)+1, p.columns+2)
}

// values reads the interval columns. This is the hot loop: a column is walked
// once, byte by byte, and only what is no plain decimal takes the slow way.
func (p *wideParser) values(d *curve.Day, l *layout, data []byte, counts *curve.Counts) error {
	pos := 0
	for column := range p.columns {
		if pos > len(data) {
			return fmt.Errorf("has %d fields, the header has %d; give every interval a field, empty where it is missing", column+2, p.columns+2)
		}
		var whole uint64
		start, point := pos, -1
		plain := true
		for pos < len(data) {
			c := data[pos]
			if digit := c - '0'; digit <= 9 {
				whole = whole*10 + uint64(digit)
			} else if c == ',' {
				break
			} else if c == '.' && point < 0 {
				point = pos
			} else {
				plain = false
			}
			pos++
		}
		field := data[start:pos]
		pos++ // over the comma
		if len(field) == 0 {
			continue
		}
		var v float64
		if plain && len(field) <= 15 && (point < 0 || len(field) > 1) {
			v = float64(whole)
			if point >= 0 {
				v /= powersOfTen[start+len(field)-1-point]
			}
		} else {
			field = trimField(field)
			if len(field) == 0 {
				continue
			}
			var ok bool
			if v, ok = parseNumber(field); !ok {
				return fmt.Errorf("p%d %s is not a number; write kWh as 0.25, empty where it is missing", column+1, textfile.Quote(string(field)))
			}
		}
		if slot := l.slot[column]; slot >= 0 {
			d.EnergyKWh[slot] = v
		} else if v != 0 {
			counts[curve.RuleNoSuchHour]++
		}
	}
	if pos <= len(data) {
		return fmt.Errorf("has more fields than the %d of the header; drop what follows p%d", p.columns+2, p.columns)
	}
	for i, e := range d.EnergyKWh {
		if e != e {
			d.Quality[i] = meter.Bad
		}
	}
	return nil
}
