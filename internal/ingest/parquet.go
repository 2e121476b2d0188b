package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/gridwarden/gridwarden/internal/textfile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// parquetRows is how many rows are read at a time.
const parquetRows = 4096

// readParquet reads a Parquet file with the columns of the long form; its
// "lines" in problems are rows, counted from 1. The library panics on some
// damaged files; that becomes a problem of the file.
func (r *reader) readParquet(ctx context.Context, in *input, take func(context.Context, int64, *batch) error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = damaged(in.path, fmt.Errorf("%v", fault))
		}
	}()
	f, err := os.Open(in.path)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() { _ = f.Close() }()
	file, err := parquet.OpenFile(f, in.size)
	if err != nil {
		return damaged(in.path, err)
	}
	p, err := newParquetParser(in, file, r.meters.view())
	if err != nil {
		return err
	}
	total := max(1, file.NumRows())
	for _, group := range file.RowGroups() {
		rows := group.Rows()
		for {
			b, readErr := p.next(rows)
			if len(b.long) > 0 || b.problems.Len() > 0 {
				if err := take(ctx, in.size*int64(p.row)/total, b); err != nil {
					_ = rows.Close()
					return err
				}
			}
			if readErr == nil {
				readErr = ctx.Err()
			}
			if errors.Is(readErr, io.EOF) {
				break
			}
			if readErr != nil {
				_ = rows.Close()
				if ctx.Err() != nil {
					return fmt.Errorf("read %s: %w", in.path, ctx.Err())
				}
				return damaged(in.path, readErr)
			}
		}
		if err := rows.Close(); err != nil {
			return damaged(in.path, err)
		}
	}
	return nil
}

func damaged(path string, err error) error {
	return textfile.Problem{File: path, What: fmt.Sprintf("cannot be read as Parquet (%v)", err), Mend: "write it again, or export CSV"}
}

// parquetParser turns Parquet rows into long rows.
type parquetParser struct {
	in    *input
	names []string      // of the leaf columns
	units []int64       // divisor from timestamps to seconds, for the column start
	place []int         // place in extra, -1 where the column is none
	order map[int]int   // place in extra to its place in longRow.other
	buf   []parquet.Row // reused
	row   int
	ids   *meterView
	clock clock
}

func newParquetParser(in *input, file *parquet.File, ids *meterView) (*parquetParser, error) {
	p := &parquetParser{in: in, buf: make([]parquet.Row, parquetRows), ids: ids, order: map[int]int{}}
	var problems textfile.Problems
	var header []string
	for _, path := range file.Schema().Columns() {
		header = append(header, strings.Join(path, "."))
	}
	if textfile.ParseHeader(in.path, []byte(strings.Join(header, ",")), longColumns(), &problems) == nil {
		return nil, problems.List()[0]
	}
	in.long.extras = nil
	for i, name := range header {
		leaf, ok := file.Schema().Lookup(name)
		if !ok || leaf.Node.Repeated() {
			return nil, textfile.Problem{File: in.path, What: fmt.Sprintf("column %s is a list", name), Mend: "give one value a row"}
		}
		p.names = append(p.names, name)
		p.units = append(p.units, unitOf(leaf.Node.Type()))
		p.place = append(p.place, -1)
		for place, e := range extra {
			if e.column == name {
				p.place[i] = place
				p.order[place] = len(in.long.extras)
				in.long.extras = append(in.long.extras, place)
			}
		}
	}
	return p, nil
}

// unitOf returns how many of a timestamp's units make a second, 0 where the
// type is no timestamp.
func unitOf(t parquet.Type) int64 {
	logical := t.LogicalType()
	if logical == nil {
		return 0
	}
	stamp, ok := logical.Value.(*format.TimestampType)
	if !ok || stamp.Unit.Value == nil {
		return 0
	}
	return int64(time.Second / stamp.Unit.Value.Duration())
}

// next reads some rows; the error is io.EOF after the last.
func (p *parquetParser) next(rows parquet.Rows) (*batch, error) {
	n, err := rows.ReadRows(p.buf)
	b := &batch{rows: n, long: make([]longRow, 0, n)}
	for _, row := range p.buf[:n] {
		p.row++
		parsed, rowErr := p.parse(row)
		if rowErr != nil {
			if b.problems.Len() < maxBlockProblems {
				b.problems.Add(p.in.path, p.row, rowErr.Error(), "")
			}
			continue
		}
		parsed.line = int32(min(p.row, math.MaxInt32))
		b.long = append(b.long, parsed)
	}
	return b, err //nolint:wrapcheck // io.EOF must stay itself
}

func (p *parquetParser) parse(row parquet.Row) (longRow, error) {
	r := longRow{meter: -1, kwh: math.NaN(), quality: meter.Good, start: math.MinInt64}
	if len(p.in.long.extras) > 0 {
		r.other = make([]float32, len(p.in.long.extras))
		for i := range r.other {
			r.other[i] = float32(math.NaN())
		}
	}
	for _, v := range row {
		column := v.Column()
		if column < 0 || column >= len(p.names) || v.IsNull() {
			continue
		}
		if err := p.set(&r, column, v); err != nil {
			return longRow{}, err
		}
	}
	if r.meter < 0 {
		return longRow{}, checkID(nil)
	}
	if r.start == math.MinInt64 {
		return longRow{}, fmt.Errorf("start is empty; give every row its start")
	}
	return r, nil
}

func (p *parquetParser) set(r *longRow, column int, v parquet.Value) (err error) {
	switch name := p.names[column]; name {
	case "meter_id":
		if v.Kind() != parquet.ByteArray && v.Kind() != parquet.FixedLenByteArray || !utf8.Valid(v.ByteArray()) {
			return fmt.Errorf("meter_id is not UTF-8 text; store it as a string")
		}
		if err := checkID(v.ByteArray()); err != nil {
			return err
		}
		r.meter, err = p.ids.number(v.ByteArray())
	case "start":
		r.start, err = p.start(v, p.units[column])
	case "quality":
		return r.setQuality(string(v.ByteArray()))
	case "interval_s":
		seconds, err := parquetNumber(name, v)
		if err != nil {
			return err
		}
		r.interval, err = checkInterval(seconds)
		return err
	case "kwh":
		r.kwh, err = parquetNumber(name, v)
	default:
		var f float64
		f, err = parquetNumber(name, v)
		r.other[p.order[p.place[column]]] = float32(f)
	}
	return err
}

func (p *parquetParser) start(v parquet.Value, unit int64) (int64, error) {
	if v.Kind() == parquet.ByteArray {
		return p.clock.parse(v.ByteArray())
	}
	if v.Kind() != parquet.Int64 || unit == 0 {
		return 0, fmt.Errorf("start is neither a timestamp nor text; store it as a timestamp in UTC or as RFC 3339")
	}
	t := v.Int64()
	if t%unit != 0 {
		return 0, fmt.Errorf("start %d lies between two seconds; give the start of each interval", t)
	}
	if y := time.Unix(t/unit, 0).UTC().Year(); y < firstYear || y > lastYear {
		return 0, fmt.Errorf("start in the year %d cannot be; it lies between the years %d and %d", y, firstYear, lastYear)
	}
	return t / unit, nil
}

func parquetNumber(name string, v parquet.Value) (float64, error) {
	var f float64
	switch v.Kind() {
	case parquet.Double:
		f = v.Double()
	case parquet.Float:
		// As decimal text and back, so that 0.1 stored in single precision is 0.1.
		short, ok := parseNumber([]byte(fmt.Sprint(v.Float())))
		if !ok {
			return 0, fmt.Errorf("%s %v is not a number; leave it null where it is missing", name, v.Float())
		}
		return short, nil
	case parquet.Int32:
		f = float64(v.Int32())
	case parquet.Int64:
		f = float64(v.Int64())
	default:
		return 0, fmt.Errorf("%s is no number; store it as a double", name)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%s %v is not a number; leave it null where it is missing", name, f)
	}
	return f, nil
}
