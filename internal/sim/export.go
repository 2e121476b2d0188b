package sim

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Names of the files of an export, below its folder.
const (
	UsagePointReadings  = "readings/usage_points.csv"
	TransformerReadings = "readings/transformers.csv"
	TruthFile           = "truth.json"
)

// Export writes the records to dir/registry, the history of every meter to
// dir/readings and the truth to dir/truth.json. Readings are ordered by day,
// then by place in the network. progress, where given, is told of each day.
// Existing files are replaced; after an error the folder is incomplete.
func (d *District) Export(ctx context.Context, dir string, progress func(done, total int)) error {
	for _, sub := range []string{"registry", "readings"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return fmt.Errorf("export of the simulated district: %w; choose a folder that can be written", err)
		}
	}
	if err := d.writeRegistry(filepath.Join(dir, "registry")); err != nil {
		return fmt.Errorf("export of the simulated records: %w", err)
	}
	if err := d.writeTruth(filepath.Join(dir, TruthFile)); err != nil {
		return fmt.Errorf("export of the truth: %w", err)
	}
	if err := d.writeReadings(ctx, dir, progress); err != nil {
		return fmt.Errorf("export of the simulated readings: %w", err)
	}
	return nil
}

func (d *District) writeTruth(file string) error {
	data, err := json.MarshalIndent(struct {
		First      string      `json:"first"`
		Last       string      `json:"last"`
		Planted    []Planted   `json:"planted"`
		Lookalikes []Lookalike `json:"lookalikes"`
	}{d.first.String(), d.last.String(), d.Truth(), d.Lookalikes()}, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot be written: %w", err)
	}
	return nil
}

func (d *District) writeReadings(ctx context.Context, dir string, progress func(done, total int)) (err error) {
	points, err := newWideFile(filepath.Join(dir, UsagePointReadings))
	if err != nil {
		return err
	}
	defer points.close(&err)
	transformers, err := newWideFile(filepath.Join(dir, TransformerReadings))
	if err != nil {
		return err
	}
	defer transformers.close(&err)

	total := int(d.last-d.first) + 1
	sums := newTally(d)
	for date := d.first; date <= d.last; date++ {
		days, err := d.day(ctx, date)
		if err != nil {
			return err
		}
		for i, a := range d.areas {
			for k, p := range a.points {
				points.row(p.meterID, date, &days[i].points[k].Metered, d.gap(p.seed, date))
			}
			transformers.row(a.meterID, date, &days[i].Metered, d.gap(hashString(a.id), date))
		}
		sums.add(d, date, days)
		if progress != nil {
			progress(int(date-d.first)+1, total)
		}
	}
	d.mu.Lock()
	d.tally = sums
	d.mu.Unlock()
	return nil
}

// day computes one day of every area.
func (d *District) day(ctx context.Context, date curve.Date) ([]*areaDay, error) {
	e := d.env(date)
	out := make([]*areaDay, len(d.areas))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, a := range d.areas {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			out[i] = a.dayOf(d.seed, e)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("day %s: %w", date, err)
	}
	return out, nil
}

// gap is the run of intervals that the metering system lost: one meter-day in
// eighty has one, of up to eight hours, which makes 0.2 % of all intervals.
func (d *District) gap(seed uint64, date curve.Date) [2]int {
	day := uint64(uint32(date))
	if unit(d.seed, seed, streamGaps, day) >= 1./80 {
		return [2]int{}
	}
	from := int(unit(d.seed, seed, streamGaps, day, 1) * intervals)
	length := 1 + int(unit(d.seed, seed, streamGaps, day, 2)*32)
	return [2]int{from, min(intervals, from+length)}
}

// wideFile writes rows of meter_id, date, p1…p96 in kWh.
type wideFile struct {
	f   *os.File
	w   *bufio.Writer
	buf []byte
	err error
}

func newWideFile(file string) (*wideFile, error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("cannot be written: %w", err)
	}
	w := &wideFile{f: f, w: bufio.NewWriterSize(f, 1<<16)}
	w.buf = append(w.buf, "meter_id,date"...)
	for i := range intervals {
		w.buf = strconv.AppendInt(append(w.buf, ",p"...), int64(i+1), 10)
	}
	w.flushRow()
	return w, nil
}

func (w *wideFile) row(meterID string, date curve.Date, kw *dayKW, gap [2]int) {
	w.buf = append(append(append(w.buf, meterID...), ','), date.String()...)
	for i, v := range kw {
		w.buf = append(w.buf, ',')
		if i >= gap[0] && i < gap[1] {
			continue
		}
		w.buf = appendKWh(w.buf, wattHours(v))
	}
	w.flushRow()
}

// wattHours is the energy of an interval as a meter stores it.
func wattHours(kw float64) int64 { return int64(kw*step*1000 + .5) }

// appendKWh writes Wh as kWh with three decimals.
func appendKWh(b []byte, wh int64) []byte {
	b = strconv.AppendInt(b, wh/1000, 10)
	f := wh % 1000
	return append(b, '.', byte('0'+f/100), byte('0'+f/10%10), byte('0'+f%10))
}

func (w *wideFile) flushRow() {
	if w.err == nil {
		_, w.err = w.w.Write(append(w.buf, '\n'))
	}
	w.buf = w.buf[:0]
}

// close flushes and closes the file and sets *err where nothing failed before.
func (w *wideFile) close(err *error) {
	if w.err == nil {
		w.err = w.w.Flush()
	}
	if e := w.f.Close(); w.err == nil {
		w.err = e
	}
	if *err == nil {
		*err = w.err
	}
}
