package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// wideFile says what a generated wide CSV holds: households and shops with the
// rhythm of a day, three decimals, and a gap in one row of two thousand.
type wideFile struct {
	meters, days, points int
	byMeter              bool // rows by meter, then date; else by date, then meter
}

const (
	wideSeed = 20260101
	gapEvery = 2000 // rows
)

// meterName is the id of the nth meter.
func meterName(n int) string { return fmt.Sprintf("M%07d", n) }

// firstDay of generated files.
func firstDay() curve.Date {
	return curve.DateOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
}

// make writes the file into dir, unless it is there, and returns its path.
func (f wideFile) make(ctx context.Context, dir string) (path string, err error) {
	order := "by-date"
	if f.byMeter {
		order = "by-meter"
	}
	path = filepath.Join(dir, fmt.Sprintf("wide-%dx%dx%d-%s.csv", f.meters, f.days, f.points, order))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	out, err := os.Create(path + ".part") //nolint:gosec // in the case's folder
	if err != nil {
		return "", fmt.Errorf("generate: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	w := bufio.NewWriterSize(out, 1<<20)
	if err := errors.Join(f.write(ctx, w), w.Flush(), out.Close()); err != nil {
		return "", fmt.Errorf("generate %s: %w", path, err)
	}
	if err := os.Rename(out.Name(), path); err != nil {
		return "", fmt.Errorf("generate: %w", err)
	}
	return path, nil
}

func (f wideFile) write(ctx context.Context, w *bufio.Writer) error {
	row := []byte("meter_id,date")
	for i := range f.points {
		row = append(row, ",p"...)
		row = strconv.AppendInt(row, int64(i+1), 10)
	}
	row = append(row, '\n')
	shape := f.shape()
	random := rand.New(rand.NewPCG(wideSeed, 1)) //nolint:gosec // the same file on every machine
	for n := range f.meters * f.days {
		if _, err := w.Write(row); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		meter, day := n%f.meters, n/f.meters
		if f.byMeter {
			meter, day = n/f.days, n%f.days
		}
		row = append(row[:0], meterName(meter)...)
		row = append(row, ',')
		row = append(row, (firstDay() + curve.Date(day)).String()...)
		row = f.values(row, shape, random, meter)
		row = append(row, '\n')
	}
	if _, err := w.Write(row); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// shape is the course of a day, about 1 on average.
func (f wideFile) shape() []float64 {
	shape := make([]float64, f.points)
	for i := range shape {
		h := 24 * float64(i) / float64(f.points)
		shape[i] = 0.45 + 0.5*math.Exp(-(h-8)*(h-8)/6) + 1.1*math.Exp(-(h-20)*(h-20)/8)
	}
	return shape
}

func (f wideFile) values(row []byte, shape []float64, random *rand.Rand, meter int) []byte {
	// Most meters draw some 0.4 kW on average, some several times that.
	mean := 1000 * 24 / float64(f.points) * (0.2 + 0.6*float64(meter*7919%101)/101)
	if meter%37 == 0 {
		mean *= 8
	}
	gap, length := -1, 0
	if random.IntN(gapEvery) == 0 {
		gap, length = random.IntN(f.points), 1+random.IntN(8)
	}
	bits := random.Uint64()
	for i := range f.points {
		row = append(row, ',')
		if i >= gap && i < gap+length {
			continue
		}
		bits = bits*6364136223846793005 + 1442695040888963407
		noise := 0.6 + 0.8*float64(bits>>40)/(1<<24)
		row = appendThousandths(row, int(mean*shape[i]*noise))
	}
	return row
}

// appendThousandths appends n/1000 with three decimals.
func appendThousandths(dst []byte, n int) []byte {
	dst = strconv.AppendInt(dst, int64(n/1000), 10)
	n %= 1000
	return append(dst, '.', byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
}
