package tariff

import (
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path"
	"slices"
	"sort"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/strictyaml"
)

// Load reads every .yaml file of the folder into one book. The errors of all
// files come together, a line each.
func Load(files fs.FS) (*Book, error) {
	book := &Book{tariffs: make(map[string]*Tariff), usual: make(map[usualKey]*Tariff)}
	var problems []error
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading tariffs: %w", err)
		}
		if entry.IsDir() || path.Ext(name) != ".yaml" {
			return nil
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("reading tariffs: %w", err)
		}
		list, err := Parse(name, data)
		if err != nil {
			problems = append(problems, err)
			return nil
		}
		for _, t := range list {
			if other := book.tariffs[t.ID]; other != nil {
				problems = append(problems, fmt.Errorf("%s: tariff %q is in %s already; rename one of them", name, t.ID, other.File))
				continue
			}
			book.tariffs[t.ID] = t
		}
		return nil
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // each has its file and place already
	}
	for _, id := range book.IDs() {
		problems = append(problems, book.checkAlternative(book.tariffs[id])...)
	}
	problems = append(problems, book.setUsual()...)
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return book, nil
}

// setUsual notes which tariff is the usual one of each class, by jurisdiction
// and currency; two for the same class are refused.
func (b *Book) setUsual() []error {
	var problems []error
	for _, id := range b.IDs() {
		t := b.tariffs[id]
		for _, class := range t.DefaultFor {
			key := usualKey{t.Jurisdiction, t.Currency, class}
			if other := b.usual[key]; other != nil {
				problems = append(problems, fmt.Errorf("%s: tariff %q is the default for %s in %s, and so is %q in %s; leave default_for of one of them out", t.File, t.ID, class, t.Jurisdiction, other.ID, other.File))
				continue
			}
			b.usual[key] = t
		}
	}
	return problems
}

// checkAlternative refuses alternatives that cannot be compared with.
func (b *Book) checkAlternative(t *Tariff) []error {
	if t.Alternative == "" {
		return nil
	}
	other := b.tariffs[t.Alternative]
	switch {
	case other == nil:
		return []error{fmt.Errorf("%s: tariff %q has the alternative %q, which no file holds; add it or name another", t.File, t.ID, t.Alternative)}
	case other.Currency != t.Currency:
		return []error{fmt.Errorf("%s: tariff %q is in %s and its alternative %q in %s; name one of the same currency", t.File, t.ID, t.Currency, other.ID, other.Currency)}
	case other.Alternative != "":
		return []error{fmt.Errorf("%s: tariff %q has the alternative %q, which has an alternative itself; name a tariff that fits trade use", t.File, t.ID, other.ID)}
	}
	return nil
}

// Parse reads one tariff file. Errors are those of strictyaml.
func Parse(file string, data []byte) ([]*Tariff, error) {
	var raw rawFile
	doc, err := strictyaml.Decode(file, data, &raw)
	if err != nil {
		return nil, err
	}
	c := checker{doc: doc}
	c.oneOf("$.status", "status", raw.Status, "published", "demonstration")
	if len(raw.Currency) != 3 || !isUpper(raw.Currency) {
		doc.Add("$.currency", "currency %q is not an ISO 4217 code; write three capitals, such as CNY", raw.Currency)
	}
	if raw.Jurisdiction == "" {
		doc.Add("$.jurisdiction", "jurisdiction is missing; say whose tables these are")
	}
	if len(raw.Sources) == 0 {
		doc.Add("$.sources", "sources is missing; name the publication that the prices are from")
	}
	if len(raw.Tariffs) == 0 {
		doc.Add("$.tariffs", "tariffs is missing; list at least one tariff")
	}
	var list []*Tariff
	seen := map[string]bool{}
	for i, rt := range raw.Tariffs {
		at := fmt.Sprintf("$.tariffs[%d]", i)
		if !isID(rt.ID) {
			doc.Add(at+".id", "id %q is not an identifier; write lower-case letters, digits and _, such as res_tiered", rt.ID)
		} else if seen[rt.ID] {
			doc.Add(at+".id", "tariff %q is given twice; rename one of them", rt.ID)
		}
		seen[rt.ID] = true
		if rt.Name == "" {
			doc.Add(at+".name", "tariff %q has no name; add one for people", rt.ID)
		}
		c.oneOf(at+".kind", "kind", rt.Kind, Residential, Commercial, Industrial, Agricultural, Other)
		for k, class := range rt.DefaultFor {
			c.oneOf(fmt.Sprintf("%s.default_for[%d]", at, k), "default_for", class, Classes()...)
			if slices.Contains(rt.DefaultFor[:k], class) {
				doc.Add(fmt.Sprintf("%s.default_for[%d]", at, k), "class %s is given twice; leave one out", class)
			}
		}
		list = append(list, &Tariff{
			ID: rt.ID, Name: rt.Name, Kind: rt.Kind, Currency: raw.Currency, Jurisdiction: raw.Jurisdiction,
			Status: raw.Status, Sources: raw.Sources, Alternative: rt.Alternative, DefaultFor: rt.DefaultFor, File: file,
			tables: c.tables(at, rt),
		})
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return list, nil
}

// tables reads a tariff's tables and puts them in order of time.
func (c *checker) tables(at string, rt rawTariff) []table {
	if len(rt.Tables) == 0 {
		c.doc.Add(at+".tables", "tariff %q has no tables; give at least one with its first day", rt.ID)
	}
	var out []table
	for i, raw := range rt.Tables {
		out = append(out, c.table(fmt.Sprintf("%s.tables[%d]", at, i), raw))
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].from < out[j].from })
	for i := 1; i < len(out); i++ {
		if out[i-1].to == openEnd {
			out[i-1].to = out[i].from // an open table ends where the next begins
		}
		if out[i].from < out[i-1].to || out[i].from == out[i-1].from {
			c.doc.Add(at+".tables", "tariff %q has overlapping tables from %s and %s; end the first where the next begins", rt.ID, out[i-1].from, out[i].from)
		}
	}
	return out
}

func (c *checker) table(at string, raw rawTable) table {
	tb := table{from: c.date(at+".from", raw.From), to: openEnd, fixedPerDay: new(big.Rat)}
	if raw.To != "" {
		if tb.to = c.date(at+".to", raw.To); tb.to <= tb.from {
			c.doc.Add(at+".to", "the table ends on %s, not after its first day %s; to is the first day that it no longer holds", raw.To, raw.From)
		}
	}
	if raw.FixedPerDay != "" {
		tb.fixedPerDay = c.price(at+".fixed_per_day", raw.FixedPerDay)
	}
	shapes := 0
	if raw.Flat != "" {
		shapes++
		tb.tiers = []tier{{price: c.price(at+".flat", raw.Flat)}}
	}
	if len(raw.Tiers) > 0 {
		shapes++
		tb.tiers = c.tiers(at, raw.Tiers)
	}
	if len(raw.Periods) > 0 {
		shapes++
		tb.periods = c.periods(at, raw.Periods)
	}
	if shapes != 1 {
		c.doc.Add(at, "the table has %d ways of pricing energy; give one of flat, tiers, periods", shapes)
	}
	if raw.Demand != nil {
		c.oneOf(at+".demand.per", "per", raw.Demand.Per, "kw", "kva")
		tb.demand = &demand{per: raw.Demand.Per, price: c.price(at+".demand.price", raw.Demand.Price), free: new(big.Rat)}
		if raw.Demand.Free != "" {
			tb.demand.free = c.price(at+".demand.free", raw.Demand.Free)
		}
	}
	return tb
}

func (c *checker) date(at, text string) curve.Date {
	d, err := curve.ParseDate(text)
	if err != nil {
		c.doc.Add(at, "%v", err)
	}
	return d
}
