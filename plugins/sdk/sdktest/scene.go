package sdktest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Load is a synthetic load: the mean power of a quarter of an hour in kW, NaN
// where the reading is missing. Days and quarters count from 0.
type Load func(day, quarter int) float64

// Flat is a load of constant power, kW.
func Flat(kw float64) Load { return func(int, int) float64 { return kw } }

// Household is a load with a base, a morning and an evening, which differs
// from day to day. The same seed gives the same load.
func Household(seed uint64) Load {
	return func(day, quarter int) float64 {
		r := rand.New(rand.NewPCG(seed, uint64(day*100+quarter)))
		h := float64(quarter) / 4
		kw := 0.12 + 0.15*r.Float64() + 0.5*bump(h, 7.5, 1.2)*r.Float64() + 1.6*bump(h, 19.5, 2)*r.Float64()
		return kw * (0.8 + 0.4*float64(seed%7)/6)
	}
}

func bump(h, at, width float64) float64 { return math.Exp(-(h - at) * (h - at) / (2 * width * width)) }

// From adds a load from a day on.
func From(day int, base, added Load) Load {
	return func(d, q int) float64 {
		if d < day {
			return base(d, q)
		}
		return base(d, q) + added(d, q)
	}
}

// Gaps loses about a share of the readings, and every ninth day as a whole.
func Gaps(seed uint64, share float64, base Load) Load {
	return func(d, q int) float64 {
		if d%9 == 4 || rand.New(rand.NewPCG(seed, uint64(d*100+q))).Float64() < share {
			return math.NaN()
		}
		return base(d, q)
	}
}

// Nothing is a meter that never reported.
func Nothing() Load { return Flat(math.NaN()) }

// Member is a subject of a scene with its load.
type Member struct {
	Subject sdk.Subject
	Load    Load
}

// Point is an ordinary residential usage point.
func Point(id string, load Load) Member {
	return Member{sdk.Subject{
		ID: id, Kind: sdk.UsagePoint, HasMeter: true,
		Numbers: map[string]float64{
			sdk.AttrContractedKVA: 8, sdk.AttrRegisteredDC: 0, sdk.AttrPeerLowKWh: 4, sdk.AttrPeerMedianKWh: 9, sdk.AttrPeerHighKWh: 20,
			sdk.AttrPeerNightKW: 0.5, sdk.AttrPeerCount: 40, sdk.AttrExpectedLowKWh: 1, sdk.AttrExpectedHighKWh: 40, sdk.AttrExpectedNight: 0.8,
			sdk.AttrTransformerKVA: 250, sdk.AttrTransformerUPs: 40,
		},
		Texts: map[string]string{
			sdk.AttrCategory: "residential", sdk.AttrDeclaredUse: "dwelling", sdk.AttrTariffKind: "residential", sdk.AttrSubject: "person",
			sdk.AttrPhase: "A", sdk.AttrTransformer: "t-area",
		},
	}, load}
}

// Area is a transformer with its own meter; in a scene of transformer areas it
// comes first.
func Area(id string, ratedKVA float64, load Load) Member {
	return Member{sdk.Subject{
		ID: id, Kind: sdk.Transformer, HasMeter: true,
		Numbers: map[string]float64{sdk.AttrRatedKVA: ratedKVA, sdk.AttrUnmeteredKW: 0, sdk.AttrStreetLightKW: 1},
		Texts:   map[string]string{sdk.AttrCooling: "ONAN"},
	}, load}
}

// Sum is the load of all the members together.
func Sum(members []Member) Load {
	return func(d, q int) float64 {
		var sum float64
		for _, m := range members {
			if kw := m.Load(d, q); !math.IsNaN(kw) {
				sum += kw
			}
		}
		return sum
	}
}

// Scene is what windows are built from. The zero values of its fields are
// usable; Days is 30 then.
type Scene struct {
	Members []Member
	Days    int
	Prior   float64 // 0 is 0.01
	Bare    bool    // no attributes, weather or calendar
	// NoReference leaves out weather and calendar and keeps the attributes.
	NoReference bool
	Clock       bool // one day of 23 and one of 25 hours
	// IntervalSeconds of the curves; 0 is 900. Features do not depend on it.
	IntervalSeconds int
}

// firstDay is the first day of every scene.
const firstDay sdk.Date = 20_000

// Window builds the window that a host would send to a detector with this
// description. With curves it is the one that answers a request.
func (s Scene) Window(d sdk.Description, curves bool) *sdk.Window {
	if s.Days == 0 {
		s.Days = 30
	}
	if d.LookbackDays > 0 {
		s.Days = min(s.Days, d.LookbackDays)
	}
	if s.Prior == 0 {
		s.Prior = 0.01
	}
	w := &sdk.Window{ID: 1, Scope: d.Scope, FirstDay: firstDay, Days: s.Days, Prior: s.Prior, Subjects: make([]sdk.Subject, len(s.Members))}
	if curves {
		w.ID, w.Curves = 2, make([]sdk.Curve, len(s.Members))
	}
	columns := make(map[sdk.Feature][]float32)
	for _, f := range wanted(d) {
		columns[f] = make([]float32, len(s.Members)*s.Days)
	}
	for i, m := range s.Members {
		w.Subjects[i] = s.subject(d, m)
		for day := range s.Days {
			features := Features(s.quarters(m.Load, day))
			for f, column := range columns {
				column[i*s.Days+day] = features[f]
			}
		}
		if curves {
			w.Curves[i] = s.curve(d, m.Load)
		}
	}
	for f, column := range columns {
		w.SetFeature(f, column)
	}
	if !s.Bare && !s.NoReference {
		for day := range s.Days {
			w.TemperatureC = append(w.TemperatureC, float32(10+8*math.Sin(float64(day)/9)))
			w.Holiday = append(w.Holiday, day == 5)
		}
	}
	return w
}

// subject is a copy of the member's subject with what the detector declared.
func (s Scene) subject(d sdk.Description, m Member) sdk.Subject {
	out := m.Subject
	out.Numbers, out.Texts, out.Events = nil, nil, nil
	if !s.Bare {
		out.Numbers, out.Texts = declared(d, m.Subject.Numbers), declared(d, m.Subject.Texts)
	}
	if d.Events {
		out.Events = slices.Clone(m.Subject.Events)
	}
	return out
}

// declared copies the attributes that the detector asked for.
func declared[V any](d sdk.Description, attributes map[string]V) map[string]V {
	if attributes == nil {
		return nil
	}
	out := make(map[string]V, len(attributes))
	for name, v := range attributes {
		if d.Attributes == nil || slices.Contains(d.Attributes, name) {
			out[name] = v
		}
	}
	return out
}

// length returns the number of quarters of a day.
func (s Scene) length(day int) int {
	switch {
	case s.Clock && day == s.Days/3:
		return 92
	case s.Clock && day == 2*s.Days/3:
		return 100
	}
	return 96
}

func (s Scene) quarters(load Load, day int) []float64 {
	out := make([]float64, s.length(day))
	for q := range out {
		out[q] = load(day, q)
	}
	return out
}

func (s Scene) curve(d sdk.Description, load Load) sdk.Curve {
	seconds := s.IntervalSeconds
	if seconds == 0 {
		seconds = 900
	}
	c := sdk.Curve{IntervalSeconds: seconds, Start: time.Unix(int64(firstDay)*86400, 0).UTC(), DayStart: []int32{0}, Columns: make(map[meter.Quantity][]float32)}
	var power []float32
	for day := range s.Days {
		quarters := s.quarters(load, day)
		for at := 0; at < 900*len(quarters); at += seconds {
			kw := intervalMean(quarters, at, seconds)
			power = append(power, float32(kw))
			c.Good = append(c.Good, !math.IsNaN(kw))
		}
		c.DayStart = append(c.DayStart, int32(len(power)))
	}
	for _, q := range d.Quantities {
		if q == meter.ActivePower {
			c.Columns[q] = power
		}
	}
	return c
}

// intervalMean returns the mean power from a second of the day on, of quarter-hourly
// values; NaN where a quarter of it is missing.
func intervalMean(quarters []float64, from, seconds int) float64 {
	first, last := from/900, (from+seconds-1)/900
	var sum float64
	for _, kw := range quarters[first : last+1] {
		sum += kw
	}
	return sum / float64(last-first+1)
}

func wanted(d sdk.Description) []sdk.Feature {
	if d.Features == nil {
		return sdk.Features()
	}
	return d.Features
}

// points returns n households, every fifth of them with a constant load on top.
func points(n int) []Member {
	out := make([]Member, n)
	for i := range out {
		load := Household(uint64(i))
		if i%5 == 3 {
			load = From(10, load, Flat(2+float64(i%7)))
		}
		out[i] = Point(fmt.Sprintf("u-%05d", i), load)
	}
	return out
}
