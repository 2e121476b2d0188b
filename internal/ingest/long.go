package ingest

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/gridwarden/gridwarden/internal/textfile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// extra are the optional columns of measured quantities, with the quantity
// each becomes.
var extra = [...]struct {
	column   string
	quantity meter.Quantity
}{
	{"kvarh", meter.ReactivePower}, // energy of the interval, kept as its mean power
	{"v_a", meter.VoltageA}, {"v_b", meter.VoltageB}, {"v_c", meter.VoltageC},
	{"i_a", meter.CurrentA}, {"i_b", meter.CurrentB}, {"i_c", meter.CurrentC}, {"i_n", meter.CurrentN},
	{"pf", meter.PowerFactor}, {"thd_i", meter.THDCurrent},
}

const extraKvarh = 0 // the place of kvarh in extra

// longColumns are the columns of long files.
func longColumns() textfile.Columns {
	c := textfile.Columns{Required: []string{"meter_id", "start", "kwh"}, Optional: []string{"interval_s", "quality"}}
	for _, e := range extra {
		c.Optional = append(c.Optional, e.column)
	}
	return c
}

// longRow is one interval of one meter.
type longRow struct {
	meter    int32
	start    int64 // Unix seconds
	kwh      float64
	interval int32 // seconds, 0 where not given
	line     int32
	quality  meter.Quality
	flags    meter.Flags
	reported bool      // marked bad by the head-end
	other    []float32 // aligned with the file's extra columns, NaN where missing
}

// longFormat is the shape of one long file.
type longFormat struct {
	file    string
	header  *textfile.Header
	extras  []int // places in extra of the file's optional columns, in order
	columns []int // their columns
}

func newLongFormat(file string, line []byte, problems *textfile.Problems) *longFormat {
	header := textfile.ParseHeader(file, line, longColumns(), problems)
	if header == nil {
		return nil
	}
	f := &longFormat{file: file, header: header}
	for i, e := range extra {
		if at := header.At(e.column); at >= 0 {
			f.extras, f.columns = append(f.extras, i), append(f.columns, at)
		}
	}
	return f
}

// longParser parses blocks of one long file; one goroutine uses it.
type longParser struct {
	*longFormat
	*meterView
	fields [][]byte
	slab   []float32
	clock  clock

	meterAt, startAt, kwhAt, intervalAt, qualityAt int
}

func (f *longFormat) newParser(meters *meterView) *longParser {
	h := f.header
	return &longParser{longFormat: f, meterView: meters, meterAt: h.At("meter_id"), startAt: h.At("start"), kwhAt: h.At("kwh"),
		intervalAt: h.At("interval_s"), qualityAt: h.At("quality")}
}

func (p *longParser) parse(block textfile.Block, b *batch) {
	line := block.FirstLine
	for data := block.Data; len(data) > 0; line++ {
		var row []byte
		row, data = textfile.CutLine(data)
		if len(row) == 0 || line == 1 {
			continue // line 1 is the header
		}
		b.rows++
		parsed, err := p.row(row)
		if err != nil {
			b.problems.Add(p.file, line, err.Error(), "")
			if b.problems.Len() >= maxBlockProblems {
				break
			}
			continue
		}
		parsed.line = int32(min(line, math.MaxInt32))
		b.long = append(b.long, parsed)
	}
}

func (p *longParser) row(line []byte) (longRow, error) {
	var err error
	if p.fields, err = textfile.SplitCSV(line, p.fields[:0]); err != nil {
		return longRow{}, fmt.Errorf("%w", err)
	}
	if len(p.fields) != p.header.Width {
		return longRow{}, fmt.Errorf("has %d fields, the header has %d; give every column a field, empty where it is missing", len(p.fields), p.header.Width)
	}
	id := p.fields[p.meterAt]
	if err := checkID(id); err != nil {
		return longRow{}, err
	}
	r := longRow{kwh: math.NaN(), quality: meter.Good}
	if r.meter, err = p.number(id); err != nil {
		return longRow{}, err
	}
	if r.start, err = p.clock.parse(p.fields[p.startAt]); err != nil {
		return longRow{}, err
	}
	if r.kwh, err = number("kwh", p.fields[p.kwhAt]); err != nil {
		return longRow{}, err
	}
	if p.intervalAt >= 0 {
		seconds, err := number("interval_s", p.fields[p.intervalAt])
		if err != nil {
			return longRow{}, err
		}
		if seconds == seconds {
			if r.interval, err = checkInterval(seconds); err != nil {
				return longRow{}, err
			}
		}
	}
	if p.qualityAt >= 0 {
		if err := r.setQuality(string(p.fields[p.qualityAt])); err != nil {
			return longRow{}, err
		}
	}
	if len(p.columns) > 0 {
		if len(p.slab) < len(p.columns) {
			p.slab = make([]float32, 4096*len(p.columns))
		}
		r.other, p.slab = p.slab[:len(p.columns):len(p.columns)], p.slab[len(p.columns):]
		for i, at := range p.columns {
			v, err := number(extra[p.extras[i]].column, p.fields[at])
			if err != nil {
				return longRow{}, err
			}
			r.other[i] = float32(v)
		}
	}
	return r, nil
}

// number reads a number, NaN where the field is empty.
func number(column string, field []byte) (float64, error) {
	if len(field) == 0 {
		return math.NaN(), nil
	}
	v, ok := parseNumber(field)
	if !ok {
		return 0, fmt.Errorf("%s %s is not a number; write it as 0.25, empty where it is missing", column, textfile.Quote(string(field)))
	}
	return v, nil
}

func checkInterval(seconds float64) (int32, error) {
	switch seconds {
	case 300, 900, 1800, 3600:
		return int32(seconds), nil
	}
	return 0, fmt.Errorf("interval_s %v is not supported; it is 300, 900, 1800 or 3600", seconds)
}

func (r *longRow) setQuality(s string) error {
	switch s {
	case "good", "":
	case "estimated":
		r.quality, r.flags = meter.Uncertain, meter.Estimated
	case "bad":
		r.quality, r.reported = meter.Bad, true
	default:
		return fmt.Errorf("quality %s is not known; it is good, estimated or bad", textfile.Quote(s))
	}
	return nil
}

// clock parses RFC 3339 times, remembering the last day; it is not safe for
// concurrent use.
type clock struct {
	dates dates
}

// parse returns Unix seconds.
func (c *clock) parse(field []byte) (int64, error) {
	if t, ok := c.quick(field); ok {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, string(field))
	if err != nil || t.Nanosecond() != 0 {
		return 0, fmt.Errorf("start %s is not a time; write it as 2026-01-31T08:00:00+03:30 or 2026-01-31T08:00:00Z", textfile.Quote(string(field)))
	}
	if y := t.Year(); y < firstYear || y > lastYear {
		return 0, fmt.Errorf("start %s cannot be; it lies between the years %d and %d", field, firstYear, lastYear)
	}
	return t.Unix(), nil
}

// quick reads the plain form, 2026-01-31T08:00:00 with Z or ±HH:MM.
func (c *clock) quick(field []byte) (int64, bool) {
	if len(field) < 20 || field[10] != 'T' || field[13] != ':' || field[16] != ':' {
		return 0, false
	}
	date, err := c.dates.parse(field[:10])
	if err != nil {
		return 0, false
	}
	h, ok1 := twoDigits(field[11:], 23)
	m, ok2 := twoDigits(field[14:], 59)
	s, ok3 := twoDigits(field[17:], 59)
	if !ok1 || !ok2 || !ok3 {
		return 0, false
	}
	t := int64(date)*86400 + h*3600 + m*60 + s
	zone := field[19:]
	if bytes.Equal(zone, []byte("Z")) {
		return t, true
	}
	if len(zone) != 6 || zone[3] != ':' || zone[0] != '+' && zone[0] != '-' {
		return 0, false
	}
	zh, ok1 := twoDigits(zone[1:], 23)
	zm, ok2 := twoDigits(zone[4:], 59)
	offset := zh*3600 + zm*60
	if zone[0] == '+' {
		offset = -offset
	}
	return t + offset, ok1 && ok2
}

func twoDigits(b []byte, highest int64) (int64, bool) {
	tens, ones := b[0]-'0', b[1]-'0'
	v := int64(tens)*10 + int64(ones)
	return v, tens <= 9 && ones <= 9 && v <= highest
}
