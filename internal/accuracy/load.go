package accuracy

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Load is the curve of one customer over some days with what the records say
// of the customer and, where something was added, the truth about it.
type Load struct {
	ID          string
	StepMinutes int
	First       curve.Date
	Days        int
	KW          []float64 // mean power of each interval, NaN where missing

	Category      string
	DeclaredUse   string
	RegisteredDC  bool
	ContractedKVA float64

	Truth Truth
}

// Truth says what was added to a load.
type Truth struct {
	Mine     bool
	Flat     string  // kind of legitimate flat load, "" for none
	Make     string  // of a mine: asic, gpu or both; "" where the injector does not say
	Habit    string  // when a mine runs, in the injector's words
	Business bool    // at a business or public building, not at a home
	KW       float64 // size of what was added
	KWh      float64 // energy that was added over the window
	Ratio    float64 // size over the host's own mean
	FromDay  int     // day of the window on which it began
	Evades   bool    // switched off in the evening peak
	Ramps    bool    // grew in lots
}

// PerDay returns the number of intervals of a day.
func (l *Load) PerDay() int { return 1440 / l.StepMinutes }

// MeanKW returns the mean power over what is not missing, NaN where all is.
func (l *Load) MeanKW() float64 {
	sum, n := 0.0, 0
	for _, v := range l.KW {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	return sum / float64(n)
}

// KWh returns the energy of what is not missing.
func (l *Load) KWh() float64 {
	sum := 0.0
	for _, v := range l.KW {
		if !math.IsNaN(v) {
			sum += v
		}
	}
	return sum * float64(l.StepMinutes) / 60
}

// Segment returns days from to from+days of the load as a load of its own.
func (l *Load) Segment(from, days int) Load {
	out := *l
	out.First += curve.Date(from)
	out.Days = days
	out.KW = append([]float64(nil), l.KW[from*l.PerDay():(from+days)*l.PerDay()]...)
	out.ID = fmt.Sprintf("%s+%d", l.ID, from)
	return out
}

// Coarser returns the load at a coarser interval of so many minutes.
func (l *Load) Coarser(minutes int) Load {
	k := minutes / l.StepMinutes
	out := *l
	out.StepMinutes = minutes
	out.KW = make([]float64, len(l.KW)/k)
	for i := range out.KW {
		for j := range k {
			out.KW[i] += l.KW[i*k+j] / float64(k)
		}
	}
	return out
}

// ReadWide reads a wide CSV (meter_id, date, p1 … pN in kWh), gzipped where
// the name ends in .gz. Days that are not there are NaN.
func ReadWide(file string) ([]Load, error) {
	f, err := os.Open(file) //nolint:gosec // the file that the user names
	if err != nil {
		return nil, fmt.Errorf("open loads: %w", err)
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		gz, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("%s: not gzip: %w", file, err)
		}
		r = gz
	}
	byMeter, order := map[string]map[curve.Date][]float64{}, []string(nil)
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	columns := 0
	for line := 1; s.Scan(); line++ {
		cells := strings.Split(s.Text(), ",")
		if line == 1 {
			columns = len(cells)
			if columns < 26 || cells[0] != "meter_id" {
				return nil, fmt.Errorf("%s:1: not a wide readings file; the columns must be meter_id, date, p1 …", file)
			}
			continue
		}
		if len(cells) != columns {
			return nil, fmt.Errorf("%s:%d: %d cells; the header has %d", file, line, len(cells), columns)
		}
		date, err := curve.ParseDate(cells[1])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		kw := make([]float64, columns-2)
		for i, cell := range cells[2:] {
			kw[i] = math.NaN()
			if cell == "" {
				continue
			}
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %q is not a number; write kWh or leave the cell empty", file, line, cell)
			}
			kw[i] = v * float64(columns-2) / 24
		}
		if byMeter[cells[0]] == nil {
			byMeter[cells[0]] = map[curve.Date][]float64{}
			order = append(order, cells[0])
		}
		byMeter[cells[0]][date] = kw
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	loads := make([]Load, 0, len(order))
	for _, id := range order {
		loads = append(loads, assemble(id, byMeter[id], columns-2))
	}
	return loads, nil
}

func assemble(id string, days map[curve.Date][]float64, perDay int) Load {
	first, last := curve.Date(math.MaxInt32), curve.Date(math.MinInt32)
	for d := range days {
		first, last = min(first, d), max(last, d)
	}
	l := Load{ID: id, StepMinutes: 1440 / perDay, First: first, Days: int(last-first) + 1}
	l.KW = make([]float64, l.Days*perDay)
	for i := range l.KW {
		l.KW[i] = math.NaN()
	}
	for d, kw := range days {
		copy(l.KW[int(d-first)*perDay:], kw)
	}
	return l
}
