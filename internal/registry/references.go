package registry

import (
	"fmt"
	"sort"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// checkReferences looks at the records together: duplicate ids, dangling
// references, overlapping assignments, meters claimed twice.
func (l *loader) checkReferences() {
	transformers := l.unique("transformer_id", "transformers.csv", len(l.records.Transformers),
		func(i int) (string, place) { return l.records.Transformers[i].ID, l.places.transformers[i] })
	customers := l.unique("customer_id", "customers.csv", len(l.records.Customers),
		func(i int) (string, place) { return l.records.Customers[i].ID, l.places.customers[i] })

	for i, u := range l.records.UsagePoints {
		l.mustKnow(customers, "customer_id", u.CustomerID, "customers.csv", l.places.usagePoints[i])
		l.mustKnow(transformers, "transformer_id", u.TransformerID, "transformers.csv", l.places.usagePoints[i])
	}
	for i, a := range l.records.IPAssignments {
		l.mustKnow(customers, "customer_id", a.CustomerID, "customers.csv", l.places.assignments[i])
	}
	for i, u := range l.records.Unmetered {
		l.mustKnow(transformers, "transformer_id", u.TransformerID, "transformers.csv", l.places.unmetered[i])
	}
	l.checkOverlaps("usage_point_id", func(u *grid.UsagePoint) string { return u.ID })
	l.checkOverlaps("meter_id", func(u *grid.UsagePoint) string { return u.MeterID })
	l.checkAreaMeters()
	l.checkReferenceData()
	l.checkEvents()
}

// unique returns where each id was written and reports ids written twice.
func (l *loader) unique(column, file string, n int, at func(int) (string, place)) map[string]place {
	seen := make(map[string]place, n)
	for i := range n {
		id, where := at(i)
		if id == "" {
			continue
		}
		if first, ok := seen[id]; ok {
			l.problems.Add(where.file, where.line, fmt.Sprintf("%s %s stands in line %d already", column, textfile.Quote(id), first.line),
				"give each "+column+" once in "+file)
			continue
		}
		seen[id] = where
	}
	return seen
}

func (l *loader) mustKnow(known map[string]place, column, id, file string, where place) {
	if _, ok := known[id]; ok || id == "" || l.partial[file] {
		return // what a partial file holds is not known
	}
	mend := "add it to " + file + " or correct it"
	if len(known) <= 10_000 { // proposing costs a pass over all of them
		ids := make([]string, 0, len(known))
		for k := range known {
			ids = append(ids, k)
		}
		sort.Strings(ids)
		if near := textfile.Nearest(id, ids); near != "" && l.problems.Len() < 20 {
			mend = fmt.Sprintf("add it to %s, or did you mean %s?", file, near)
		}
	}
	l.problems.Add(where.file, where.line, fmt.Sprintf("%s %s is not in %s", column, textfile.Quote(id), file), mend)
}

// checkOverlaps reports assignments that share a key at the same time.
func (l *loader) checkOverlaps(column string, key func(*grid.UsagePoint) string) {
	byKey := make(map[string][]int, len(l.records.UsagePoints))
	for i := range l.records.UsagePoints {
		if k := key(&l.records.UsagePoints[i]); k != "" {
			byKey[k] = append(byKey[k], i)
		}
	}
	for i := range l.records.UsagePoints { // in file order, so that messages are stable
		k := key(&l.records.UsagePoints[i])
		rows := byKey[k]
		delete(byKey, k) // each key once
		if len(rows) < 2 {
			continue
		}
		sort.SliceStable(rows, func(a, b int) bool {
			return l.records.UsagePoints[rows[a]].ValidFrom.Before(l.records.UsagePoints[rows[b]].ValidFrom)
		})
		for j := 1; j < len(rows); j++ {
			earlier, later := l.records.UsagePoints[rows[j-1]], l.records.UsagePoints[rows[j]]
			if earlier.ValidTo.IsZero() || later.ValidFrom.IsZero() || earlier.ValidTo.After(later.ValidFrom) {
				first, second := l.places.usagePoints[rows[j-1]], l.places.usagePoints[rows[j]]
				if second.line < first.line {
					first, second = second, first
				}
				l.problems.Add(second.file, second.line,
					fmt.Sprintf("%s %s overlaps in time with line %d", column, textfile.Quote(k), first.line),
					"end the earlier one with valid_to (exclusive) where the later one has its valid_from")
			}
		}
	}
}

// checkAreaMeters reports transformer meters that are claimed twice.
func (l *loader) checkAreaMeters() {
	meters := make(map[string]place, len(l.records.Transformers))
	for i, t := range l.records.Transformers {
		if t.MeterID == "" {
			continue
		}
		where := l.places.transformers[i]
		if first, ok := meters[t.MeterID]; ok {
			l.problems.Add(where.file, where.line, fmt.Sprintf("meter_id %s is the meter of line %d already", textfile.Quote(t.MeterID), first.line),
				"give each transformer its own meter, or none")
			continue
		}
		meters[t.MeterID] = where
	}
	for i, u := range l.records.UsagePoints {
		if first, ok := meters[u.MeterID]; ok {
			where := l.places.usagePoints[i]
			l.problems.Add(where.file, where.line,
				fmt.Sprintf("meter_id %s is the transformer's meter in %s:%d", textfile.Quote(u.MeterID), first.file, first.line),
				"a usage point has a meter of its own")
		}
	}
}

// checkReferenceData orders the weather and drops what stands there twice.
func (l *loader) checkReferenceData() {
	w := l.records.Weather
	sort.SliceStable(w, func(i, j int) bool { return w[i].Time.Before(w[j].Time) })
	kept := w[:0]
	for _, p := range w {
		if len(kept) > 0 && kept[len(kept)-1].Time.Equal(p.Time) {
			l.report.warn(textfile.Problem{File: "weather.csv", What: fmt.Sprintf("time %s stands there twice", p.Time.Format("2006-01-02T15:04Z")), Mend: "the first one counts"})
			continue
		}
		kept = append(kept, p)
	}
	l.records.Weather = kept

	days := make(map[string]string, len(l.records.Calendar))
	for i, d := range l.records.Calendar {
		if kind, ok := days[d.Date]; ok && kind != d.Kind {
			where := l.places.calendar[i]
			l.problems.Add(where.file, where.line, fmt.Sprintf("date %s is both %s and %s", d.Date, kind, d.Kind), "give it one kind")
		}
		days[d.Date] = d.Kind
	}
}
