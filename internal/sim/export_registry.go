package sim

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// writeRegistry writes the records as the utility has them, errors included.
func (d *District) writeRegistry(dir string) error {
	for _, t := range []struct {
		name   string
		header []string
		rows   [][]string
	}{
		{"transformers.csv", []string{"transformer_id", "feeder_id", "substation_id", "rated_kva", "meter_id", "cooling", "hv_kv", "lv_kv",
			"no_load_loss_w", "load_loss_w", "impedance_pct", "lat", "lon"}, d.transformerRows()},
		{"customers.csv", []string{"customer_id", "category", "class", "declared_use", "contracted_kva", "tariff_id",
			"subject", "registered_data_centre", "protected"}, d.customerRows()},
		{"usage_points.csv", []string{"usage_point_id", "meter_id", "customer_id", "transformer_id", "phase", "valid_from"}, d.usagePointRows()},
		{"watchlist.csv", []string{"ip", "first_seen", "last_seen", "source", "legal_basis", "expires", "hashrate_hs", "algorithm", "coin"}, d.watchlistRows()},
		{"ip_assignments.csv", []string{"ip", "customer_id", "from", "to", "source"}, d.assignmentRows()},
		{"weather.csv", []string{"time", "temp_c"}, d.weatherRows()},
		{"calendar.csv", []string{"date", "kind", "name"}, d.calendarRows()},
		{"unmetered.csv", []string{"transformer_id", "kind", "kw", "hours"}, d.unmeteredRows()},
		{"meter_events.csv", []string{"meter_id", "time", "code"}, d.eventRows()},
	} {
		if err := writeCSV(filepath.Join(dir, t.name), t.header, t.rows); err != nil {
			return err
		}
	}
	return nil
}

func writeCSV(file string, header []string, rows [][]string) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("cannot be written: %w", err)
	}
	w := csv.NewWriter(f)
	err = w.Write(header)
	if err == nil {
		err = w.WriteAll(rows) // flushes
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func num(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func (d *District) transformerRows() (rows [][]string) {
	for _, a := range d.areas {
		rows = append(rows, []string{
			a.id, a.feederID, substationID, num(a.kva), a.meterID, "ONAN", "10", "0.4", num(a.noLoadW), num(a.loadW), num(a.impedancePct),
			strconv.FormatFloat(a.lat, 'f', 5, 64), strconv.FormatFloat(a.lon, 'f', 5, 64),
		})
	}
	return rows
}

func (d *District) customerRows() (rows [][]string) {
	for _, p := range d.points {
		c := p.customer
		rows = append(rows, []string{
			c.id, c.category, c.class, c.declaredUse, num(c.contractedKVA), c.tariffID, c.subject,
			strconv.FormatBool(c.registeredDC), c.protected,
		})
	}
	return rows
}

func (d *District) usagePointRows() (rows [][]string) {
	for _, p := range d.points {
		since := d.first - 200 - curve.Date(4000*unit(p.seed, streamRecords, 7))
		rows = append(rows, []string{
			p.id, p.meterID, p.customer.id, d.areas[p.recorded].id, p.phase, since.Start(time.UTC).Format(time.RFC3339),
		})
	}
	return rows
}

func (d *District) watchlistRows() (rows [][]string) {
	for _, l := range d.listed {
		rate := ""
		if l.hashrate > 0 {
			rate = num(math.Round(l.hashrate))
		}
		rows = append(rows, []string{
			l.ip, rfc(l.firstSeen), rfc(l.lastSeen), l.source, l.legalBasis, rfc(l.expires), rate, l.algorithm, l.coin,
		})
	}
	return rows
}

func (d *District) assignmentRows() (rows [][]string) {
	for _, l := range d.listed {
		if l.holder != nil {
			rows = append(rows, []string{l.ip, l.holder.customer.id, rfc(l.from), rfc(l.until), "district internet provider"})
		}
	}
	return rows
}

// weatherRows gives hourly values of the history and the days around it.
func (d *District) weatherRows() (rows [][]string) {
	for date := d.first - 2; date <= d.last+2; date++ {
		start := date.Start(time.UTC)
		for h := range 24 {
			rows = append(rows, []string{
				rfc(start.Add(time.Duration(h) * time.Hour)),
				strconv.FormatFloat(temperature(d.seed, date, float64(h)), 'f', 1, 64),
			})
		}
	}
	return rows
}

func (d *District) calendarRows() (rows [][]string) {
	for date := d.first - 2; date <= d.last+30; date++ {
		if name := holidayName(date); name != "" {
			rows = append(rows, []string{date.String(), "holiday", name})
		}
	}
	return rows
}

func (d *District) unmeteredRows() (rows [][]string) {
	for _, a := range d.areas {
		if a.streetKW > 0 {
			rows = append(rows, []string{a.id, "street_light", num(a.streetKW), "dusk_to_dawn"})
		}
	}
	return rows
}

// rfc writes a time in UTC, "" for the zero time.
func rfc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
