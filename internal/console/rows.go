package console

import (
	"context"
	"errors"
	"strings"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// chips are the reasons of a row in words: what speaks against, what for, and protection.
type chips struct {
	Reasons, Explained, Protected []string
	More                          int // reasons left out for room
}

// pointRow is one usage point in a list.
type pointRow struct {
	*detect.Assessment
	Name     string
	Sub      string
	FeederID string
	Chips    chips
	CaseID   string
	Case     string // state in words
	Quiet    bool   // below the case threshold
}

// identity is how a usage point and its customer are called.
type identity struct {
	Name  string // "Household C-1", "Computer sales C-2"
	Class string
	point *grid.UsagePoint
	cust  *grid.Customer
}

func (c *console) identify(n *grid.Network, pointID, customerID string) identity {
	id := identity{Name: "Customer " + orElse(customerID, "not on record")}
	if n == nil {
		return id
	}
	id.point = n.UsagePoint(pointID, c.cfg.Clock())
	if id.point != nil && customerID == "" {
		customerID = id.point.CustomerID
	}
	id.cust = n.Customer(customerID)
	if id.cust == nil {
		return id
	}
	id.Class = lower(c.words.classes, string(id.cust.Class))
	switch {
	case id.cust.Category == grid.Residential && !residentialUse(id.cust.DeclaredUse):
		id.Name = c.useName(id.cust) + " " + customerID
	case id.cust.Category == grid.Residential:
		id.Name = "Household " + customerID
	default:
		id.Name = c.useName(id.cust) + " " + customerID
	}
	return id
}

func residentialUse(code string) bool {
	return code == "" || code == "dwelling" || code == "other" || code == "household" || code == "residential"
}

// useName is the declared use in words: as written in the record where it was free text.
func (c *console) useName(cust *grid.Customer) string {
	text := cust.DeclaredUseText
	if text == "" || text == cust.DeclaredUse {
		text = strings.ReplaceAll(cust.DeclaredUse, "_", " ")
		if c.cfg.UseName != nil {
			text = orElse(c.cfg.UseName(cust.DeclaredUse), text)
		}
	}
	if text == "" {
		return "Use not on record"
	}
	return clip(sentence(text), 60)
}

func (c *console) chips(a *detect.Assessment, cust *grid.Customer) chips {
	var out chips
	seen := map[string]bool{}
	for _, code := range a.Reasons {
		if w := in(c.words.reasons, code); !seen[w] {
			seen[w] = true
			out.Reasons = append(out.Reasons, w)
		}
	}
	for _, code := range explained(a) {
		out.Explained = append(out.Explained, uncapital(in(c.words.innocent, code)))
	}
	if cust != nil {
		for _, p := range cust.Protected {
			out.Protected = append(out.Protected, lower(c.words.protected, p))
		}
	}
	return out
}

// openCases maps usage points to their newest case that is not closed, else their newest.
func (c *console) openCases(ctx context.Context) (map[string]Case, []Case, error) {
	if c.cfg.Cases == nil {
		return nil, nil, nil
	}
	list, err := c.cfg.Cases.Cases(ctx)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, nil, err
	}
	byPoint := make(map[string]Case, len(list))
	for _, one := range list {
		if before, ok := byPoint[one.UsagePointID]; !ok || before.State == "closed" && one.State != "closed" {
			byPoint[one.UsagePointID] = one
		}
	}
	return byPoint, list, nil
}

func (c *console) row(n *grid.Network, a *detect.Assessment, cases map[string]Case) pointRow {
	id := c.identify(n, a.UsagePointID, a.CustomerID)
	row := pointRow{Assessment: a, Name: id.Name, Sub: id.Class, Chips: c.chips(a, id.cust), Quiet: a.Risk < c.cfg.Threshold}
	if n != nil {
		if t := n.Transformer(a.TransformerID); t != nil {
			row.FeederID = t.FeederID
		}
	}
	if one, ok := cases[a.UsagePointID]; ok {
		row.CaseID, row.Case = one.ID, in(c.words.states, one.State)
	}
	return row
}

// transformerRow is one transformer in a list.
type transformerRow struct {
	*detect.TransformerAssessment
	FeederID, SubstationID string
	Verdict                []string // in words, without "in order"
	LoadNow, HotSpotNow    float64
	Fresh                  bool
	Age                    string // of the live values; "" where there are none
	Points                 int
	Over                   bool
	HotLimit               float64
}

func (c *console) transformerRow(s *state, t *grid.PowerTransformer) transformerRow {
	row := transformerRow{FeederID: t.FeederID, SubstationID: t.SubstationID, LoadNow: nan(), HotSpotNow: nan(), HotLimit: s.limits.HotSpotC}
	if s.result != nil {
		row.TransformerAssessment = s.result.transformers[t.ID]
	}
	if row.TransformerAssessment == nil {
		row.TransformerAssessment = &detect.TransformerAssessment{TransformerID: t.ID, RatedKVA: t.RatedKVA,
			LoadingP95Pct: detect.Unknown(), HotSpotMaxC: detect.Unknown(), LossPct: detect.Unknown(), UnexplainedKWhMonth: detect.Unknown()}
	}
	row.Verdict = c.verdicts(row.TransformerAssessment)
	if l, ok := s.loading[t.ID]; ok && !l.At.IsZero() {
		row.LoadNow, row.HotSpotNow, row.Fresh = loadPct(l, t.RatedKVA), l.HotSpotC, s.fresh(l)
		row.Age, row.HotLimit = ago(l.At, s.now), s.hotSpotLimit(l)
	}
	row.Over = row.Fresh && (row.HotSpotNow > row.HotLimit || row.LoadNow > s.limits.LoadPct)
	return row
}

func (c *console) verdicts(t *detect.TransformerAssessment) []string {
	var out []string
	for _, v := range t.Verdicts {
		if v != "ok" {
			out = append(out, in(c.words.verdicts, v))
		}
	}
	return out
}

// notOK reports whether a transformer has a verdict that asks for a look.
func notOK(t *detect.TransformerAssessment) bool {
	for _, v := range t.Verdicts {
		if v != "ok" && v != "no_meter" {
			return true
		}
	}
	return false
}

func hasVerdict(t *detect.TransformerAssessment, codes ...string) bool {
	for _, v := range t.Verdicts {
		for _, code := range codes {
			if v == code {
				return true
			}
		}
	}
	return false
}

// matches reports whether any of the texts holds the wanted words, whatever the case.
func matches(wanted string, texts ...string) bool {
	wanted = strings.ToLower(strings.TrimSpace(wanted))
	if wanted == "" {
		return true
	}
	for _, t := range texts {
		if strings.Contains(strings.ToLower(t), wanted) {
			return true
		}
	}
	return false
}
