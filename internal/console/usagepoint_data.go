package console

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// pointData is what the charts of a usage point are drawn from.
type pointData struct {
	point  *grid.UsagePoint
	cust   *grid.Customer
	name   string
	a      *detect.Assessment
	days   []curve.Day // the whole span
	recent []curve.Day
	n      int // clock times a day
	all    []profile
	last   []profile // recent
	step   curve.Date
	peers  peerGroup
}

type peerGroup struct {
	words       string // "24 dwellings"
	count       int
	profiles    []profile // the mean day of each
	durations   []profile // the duration curve of each
	loadFactors []float64
}

// pointData returns nil where neither records nor result know the id.
func (c *console) pointData(ctx context.Context, s *state, id string) (*pointData, error) {
	d := &pointData{}
	if s.result != nil {
		d.a = s.result.points[id]
	}
	customer, meterID := "", ""
	if d.a != nil {
		customer, meterID = d.a.CustomerID, d.a.MeterID
	}
	identity := c.identify(s.network, id, customer)
	d.point, d.cust, d.name = identity.point, identity.cust, identity.Name
	if d.point != nil {
		meterID = d.point.MeterID
	}
	if d.point == nil && d.a == nil {
		return nil, nil
	}
	first, last, ok, err := c.cfg.Curves.Span(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the span of the curves: %w", err)
	}
	if !ok {
		return d, nil
	}
	if d.days, err = c.cfg.Curves.Days(ctx, meterID, max(first, last-historyMax+1), last); err != nil {
		return nil, fmt.Errorf("read the days of meter %s: %w", meterID, err)
	}
	if len(d.days) == 0 {
		return d, nil
	}
	d.n = slotsPerDay(d.days)
	d.all = profiles(d.days, d.n, c.cfg.Site.Location)
	end := d.days[len(d.days)-1].Date
	d.recent = within(d.days, end-recentDays+1, end)
	d.last = d.all[len(d.all)-len(d.recent):]
	d.step = stepDay(d.a)
	d.peers, err = c.peers(ctx, s, d, end)
	return d, err
}

// stepDay is the day from which a detector saw another level of load; 0 where none did.
func stepDay(a *detect.Assessment) curve.Date {
	if a == nil {
		return 0
	}
	for i := range a.Findings {
		f := &a.Findings[i]
		if f.FirstDay <= 0 {
			continue
		}
		for _, reason := range append([]string{f.Reason}, f.AlsoReasons...) {
			if strings.Contains(reason, "step") {
				return curve.Date(f.FirstDay)
			}
		}
	}
	return 0
}

const (
	peersRead = 24
	peersMin  = 5
)

// peers are other customers of the same declared use, or of the same category
// where the use was not recognised or too few have it. Of many, an even sample
// is read.
func (c *console) peers(ctx context.Context, s *state, d *pointData, end curve.Date) (peerGroup, error) {
	var g peerGroup
	if s.network == nil || d.cust == nil || d.point == nil {
		return g, nil
	}
	var sameUse, sameCategory []*grid.UsagePoint
	for _, u := range s.network.UsagePointsAt(c.cfg.Clock()) {
		cust := s.network.Customer(u.CustomerID)
		if cust == nil || u.ID == d.point.ID || cust.Category != d.cust.Category {
			continue
		}
		sameCategory = append(sameCategory, u)
		if cust.DeclaredUse == d.cust.DeclaredUse {
			sameUse = append(sameUse, u)
		}
	}
	byUse := len(sameUse) >= peersMin && d.cust.DeclaredUse != "" && d.cust.DeclaredUse != "other"
	candidates := sameCategory
	if byUse {
		candidates = sameUse
	}
	if len(candidates) < peersMin {
		return g, nil
	}
	for i := range min(peersRead, len(candidates)) {
		u := candidates[i*len(candidates)/min(peersRead, len(candidates))]
		days, err := c.cfg.Curves.Days(ctx, u.MeterID, end-recentDays+1, end)
		if err != nil {
			return peerGroup{}, fmt.Errorf("read the days of peer meter %s: %w", u.MeterID, err)
		}
		ps := profiles(days, d.n, c.cfg.Site.Location)
		mid := averaged(ps, d.n)
		if !known(mean(mid)) {
			continue
		}
		g.profiles = append(g.profiles, profile{kw: mid})
		g.durations = append(g.durations, profile{kw: durationCurve(ps)})
		if lf := loadFactor(ps); known(lf) {
			g.loadFactors = append(g.loadFactors, lf)
		}
	}
	g.count = len(g.profiles)
	if g.count < peersMin {
		return peerGroup{}, nil
	}
	g.words = count(g.count) + " " + string(d.cust.Category) + " customers"
	if byUse {
		g.words = count(g.count) + " customers of the same declared use"
	}
	return g, nil
}

func loadFactor(ps []profile) float64 {
	var values []float64
	for i := range ps {
		values = append(values, ps[i].kw...)
	}
	top := quantile(values, 0.999)
	if !known(top) || top <= 0 {
		return math.NaN()
	}
	return mean(values) / top
}
