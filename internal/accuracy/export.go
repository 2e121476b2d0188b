package accuracy

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// customersBehind is how many customers of an export share a transformer.
const customersBehind = 40

// WriteExport writes loads as a utility would export them: the registry in
// dir/registry, the readings as wide CSV in dir/readings, a file for each
// resolution. The usage point of loads[i] is UsagePointID(i).
func WriteExport(dir string, loads []Load) error {
	for _, sub := range []string{"registry", "readings"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o750); err != nil {
			return fmt.Errorf("folder of the export: %w", err)
		}
	}
	customers := [][]string{{"customer_id", "category", "class", "declared_use", "contracted_kva", "tariff_id", "registered_data_centre"}}
	points := [][]string{{"usage_point_id", "meter_id", "customer_id", "transformer_id"}}
	transformers := [][]string{{"transformer_id", "feeder_id", "substation_id", "rated_kva"}}
	peak := 0.0
	for i := range loads {
		l := &loads[i]
		id := UsagePointID(i)
		transformer := fmt.Sprintf("T%03d", i/customersBehind)
		customers = append(customers, []string{"C" + id, l.Category, "ordinary", l.DeclaredUse, number(l.ContractedKVA), "", strconv.FormatBool(l.RegisteredDC)})
		points = append(points, []string{id, "M" + id, "C" + id, transformer})
		peak += .35 * l.ContractedKVA
		if (i+1)%customersBehind == 0 || i+1 == len(loads) {
			transformers = append(transformers, []string{transformer, "F1", "S1", number(nameplate(peak))})
			peak = 0
		}
	}
	for name, rows := range map[string][][]string{"customers": customers, "usage_points": points, "transformers": transformers} {
		if err := writeRows(filepath.Join(dir, "registry", name+".csv"), rows); err != nil {
			return err
		}
	}
	return writeReadings(filepath.Join(dir, "readings"), loads)
}

// UsagePointID is the usage point of the i-th load of an export.
func UsagePointID(i int) string { return fmt.Sprintf("U%05d", i) }

// nameplate is the usual rating above so many kVA.
func nameplate(kva float64) float64 {
	for _, rated := range []float64{50, 100, 160, 250, 400, 630, 1000, 1600, 2500} {
		if rated >= kva {
			return rated
		}
	}
	return math.Ceil(kva/1000) * 1000
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func writeRows(file string, rows [][]string) (err error) {
	f, err := os.Create(file) //nolint:gosec // below the folder that was asked for
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	defer func() { err = closed(f, err) }()
	if err := csv.NewWriter(f).WriteAll(rows); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

func closed(f *os.File, err error) error {
	if e := f.Close(); err == nil && e != nil {
		return fmt.Errorf("close %s: %w", f.Name(), e)
	}
	return err
}

// writeReadings writes a wide file for each resolution of the loads.
func writeReadings(dir string, loads []Load) error {
	done := map[int]bool{}
	for i := range loads {
		perDay := loads[i].PerDay()
		if done[perDay] {
			continue
		}
		done[perDay] = true
		if err := writeWide(filepath.Join(dir, fmt.Sprintf("readings-%d.csv", perDay)), loads, perDay); err != nil {
			return err
		}
	}
	return nil
}

func writeWide(file string, loads []Load, perDay int) (err error) {
	f, err := os.Create(file) //nolint:gosec // below the folder that was asked for
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	defer func() { err = closed(f, err) }()
	w := bufio.NewWriterSize(f, 1<<18)
	row := []byte("meter_id,date")
	for i := range perDay {
		row = strconv.AppendInt(append(row, ",p"...), int64(i+1), 10)
	}
	row = append(row, '\n')
	if _, err := w.Write(row); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	for k := range loads {
		l := &loads[k]
		if l.PerDay() != perDay {
			continue
		}
		for d := range l.Days {
			if row = wideRow(row[:0], l, UsagePointID(k), d); len(row) == 0 {
				continue
			}
			if _, err := w.Write(row); err != nil {
				return fmt.Errorf("write %s: %w", file, err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

// wideRow appends a day of a load, nothing where all of it is missing.
func wideRow(row []byte, l *Load, id string, day int) []byte {
	row = append(append(row, "M"+id+","...), (l.First + curve.Date(day)).String()...)
	there := false
	for _, kw := range l.KW[day*l.PerDay() : (day+1)*l.PerDay()] {
		row = append(row, ',')
		if !math.IsNaN(kw) {
			there = true
			row = strconv.AppendFloat(row, math.Round(kw*float64(l.StepMinutes)/60*1e4)/1e4, 'f', -1, 64)
		}
	}
	if !there {
		return nil
	}
	return append(row, '\n')
}
