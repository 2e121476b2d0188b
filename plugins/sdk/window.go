package sdk

import (
	"fmt"
	"math"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Date is a civil day at the site, counted from 1970-01-01.
type Date int32

// String returns the day as YYYY-MM-DD.
func (d Date) String() string { return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly) }

// MarshalText writes the day as YYYY-MM-DD, in JSON too.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a day written as YYYY-MM-DD.
func (d *Date) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return fmt.Errorf("%q is not a date; write it as YYYY-MM-DD", text)
	}
	*d = Date(t.Unix() / 86400)
	return nil
}

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return time.Weekday(((int(d)+4)%7 + 7) % 7) }

// Window is what a detector is given to judge: daily features of a set of
// subjects over a span of days, with what the records say of each. All slices
// are read-only.
//
// Only the features and quantities that the detector declared are there.
// Features never count bad intervals. For a detector whose MinimumQuality is
// Good, the features of a day with estimated intervals are missing as well,
// but for GoodShare and EstimatedShare.
type Window struct {
	ID       uint64
	Scope    Scope
	FirstDay Date
	Days     int
	Prior    float64   // base rate of abnormal use at which probabilities are to be given
	Subjects []Subject // in a transformer area the first subject is the transformer itself

	// Curves holds raw curves, and only in the window that answers
	// Report.RequestCurves; it is nil otherwise. It is aligned with Subjects.
	Curves []Curve

	// TemperatureC is the daily mean air temperature, Days long, NaN where
	// unknown; nil where the host has no weather.
	TemperatureC []float32
	// Holiday marks holidays, Days long; nil where the host has no calendar.
	Holiday []bool

	features map[Feature][]float32 // [subject*Days + day]
}

// SetFeature gives the window a feature column, len(Subjects)*Days long, in
// subject-major order. Hosts and tests build windows with it.
func (w *Window) SetFeature(f Feature, column []float32) {
	if w.features == nil {
		w.features = make(map[Feature][]float32)
	}
	w.features[f] = column
}

// Feature returns the feature of subject i, one value a day, NaN where the day
// gives none; nil where the window does not carry the feature.
func (w *Window) Feature(f Feature, i int) []float32 {
	column := w.features[f]
	if column == nil {
		return nil
	}
	return column[i*w.Days : (i+1)*w.Days]
}

// Column returns a whole feature column, nil where the window has none.
func (w *Window) Column(f Feature) []float32 { return w.features[f] }

// LastDay returns the last day of the window.
func (w *Window) LastDay() Date { return w.FirstDay + Date(w.Days) - 1 }

// FeatureNames returns the features that the window carries, in the order of
// Features.
func (w *Window) FeatureNames() []Feature {
	var out []Feature
	for _, f := range Features() {
		if w.features[f] != nil {
			out = append(out, f)
		}
	}
	return out
}

// Subject is a usage point or transformer under its pseudonym.
type Subject struct {
	ID   string
	Kind SubjectKind
	// HasMeter is false for a transformer without a meter of its own.
	HasMeter bool
	// Numbers and Texts are what the records say; see the Attr constants.
	Numbers map[string]float64
	Texts   map[string]string
	// Events are what its meter logged on the window's days, in order of time;
	// only for a detector that declared Events.
	Events []Event
}

// Event is one event that a meter logged.
type Event struct {
	Day    Date
	Second int32     // of the local day, 0 … 90000 (a day of 25 hours)
	Code   EventCode //
}

// EventCode names a kind of meter event. The codes are short forms of the end
// device events of IEC 61968-9, annex E.
type EventCode string

// Meter events.
const (
	EventCoverOpened      EventCode = "cover_opened"
	EventCoverClosed      EventCode = "cover_closed"
	EventTerminalOpened   EventCode = "terminal_cover_opened"
	EventTerminalClosed   EventCode = "terminal_cover_closed"
	EventMagneticField    EventCode = "magnetic_field"
	EventReversedEnergy   EventCode = "reversed_energy"
	EventPhaseMissing     EventCode = "phase_voltage_missing"
	EventPhaseRestored    EventCode = "phase_voltage_restored"
	EventPowerFailed      EventCode = "power_failed"
	EventPowerRestored    EventCode = "power_restored"
	EventNeutralCurrent   EventCode = "neutral_current"
	EventCurrentUnmatched EventCode = "current_without_energy"
	EventClockSet         EventCode = "clock_set"
	EventConfigured       EventCode = "configured"
)

// EventCodes lists the meter events.
func EventCodes() []EventCode {
	return []EventCode{
		EventCoverOpened, EventCoverClosed, EventTerminalOpened, EventTerminalClosed, EventMagneticField,
		EventReversedEnergy, EventPhaseMissing, EventPhaseRestored, EventPowerFailed, EventPowerRestored,
		EventNeutralCurrent, EventCurrentUnmatched, EventClockSet, EventConfigured,
	}
}

// Number returns a numeric attribute, NaN where the records do not say.
func (s *Subject) Number(name string) float64 {
	if v, ok := s.Numbers[name]; ok {
		return v
	}
	return math.NaN()
}

// Text returns a textual attribute, "" where the records do not say.
func (s *Subject) Text(name string) string { return s.Texts[name] }

// Flag reports whether a numeric attribute is there and not zero.
func (s *Subject) Flag(name string) bool { return s.Numbers[name] != 0 }

// Attributes of a usage point. Numbers unless said otherwise.
const (
	AttrCategory         = "category"               // text: residential, commercial, industrial, agricultural, public
	AttrDeclaredUse      = "declared_use"           // text: a code of configs/uses.yaml
	AttrTariffKind       = "tariff_kind"            // text: residential, commercial, industrial, agricultural, other
	AttrSubject          = "subject"                // text: person, enterprise
	AttrPhase            = "phase"                  // text: A, B, C, ABC
	AttrTransformer      = "transformer"            // text: pseudonym of the transformer
	AttrContractedKVA    = "contracted_kva"         //
	AttrRegisteredDC     = "registered_data_centre" // 1 or 0
	AttrExpectedLowKWh   = "expected_low_kwh_day"   // usual daily energy of the declared use, low end
	AttrExpectedHighKWh  = "expected_high_kwh_day"  // … high end
	AttrExpectedNight    = "expected_night_ratio"   // usual highest ratio of night to daytime load for the declared use
	AttrExpectedFlat     = "expected_flat"          // 1 where the declared use is flat day and night by nature
	AttrPeerLowKWh       = "peer_p10_kwh_day"       // 10th percentile of peers' mean daily energy
	AttrPeerMedianKWh    = "peer_p50_kwh_day"       //
	AttrPeerHighKWh      = "peer_p90_kwh_day"       //
	AttrPeerNightKW      = "peer_p90_night_kw"      // 90th percentile of peers' mean night load
	AttrPeerCount        = "peer_count"             // number of peers behind the bands
	AttrListedIP         = "listed_ip"              // 1 where an address held by the customer is on the watchlist
	AttrListedHashrate   = "listed_hashrate_hs"     // hash rate of those entries, H/s
	AttrTransformerKVA   = "transformer_kva"        // nameplate of the transformer it hangs on
	AttrTransformerUPs   = "transformer_points"     // number of usage points behind that transformer
	AttrMappingDoubt     = "mapping_doubt"          // 0 … 1, doubt that the point is behind this transformer
	AttrPhaseDoubt       = "phase_doubt"            // 0 … 1, doubt that the point is on the phase of the records
	AttrMeterExchangeDay = "meter_exchange_day"     // days since 1970-01-01 to the last exchange of the meter in the run's days; absent without one

	AttrListedEntries   = "listed_entries"          // number of those entries
	AttrListedShared    = "listed_shared"           // of those entries, the ones on an address that several customers held while it was seen
	AttrListedAlgorithm = "listed_algorithm"        // text: code of package mining, "mixed", "" unknown
	AttrListedLowKW     = "listed_expected_low_kw"  // power that the listed hash rate needs, the most efficient machines …
	AttrListedHighKW    = "listed_expected_high_kw" // … and the least efficient in use
	AttrListedSources   = "listed_sources"          // text: how many offices say so, and on which legal basis
	AttrCurrency        = "currency"                // text: ISO 4217, of the bills
	AttrBillBilled      = "bill_billed_month"       // what 30 days of the window's mean use cost on the tariff billed
	AttrBillResidential = "bill_residential_month"  // … and on the usual tariff of another class, where there is one
	AttrBillCommercial  = "bill_commercial_month"   //
	AttrBillIndustrial  = "bill_industrial_month"   //
	AttrBillAgriculture = "bill_agricultural_month" //
)

// Attributes of a transformer.
const (
	AttrRatedKVA      = "rated_kva"
	AttrCooling       = "cooling"          // text
	AttrInsulation    = "insulation_class" // text
	AttrNoLoadLossW   = "no_load_loss_w"
	AttrLoadLossW     = "load_loss_w"
	AttrUnmeteredKW   = "unmetered_always_kw" // known unmetered load around the clock
	AttrStreetLightKW = "unmetered_dusk_to_dawn_kw"
)

// Curve is the raw curve of one subject over the window's days.
type Curve struct {
	IntervalSeconds int
	Start           time.Time // of the first interval: local midnight of the first day, UTC
	// DayStart holds the index of the first interval of each day and, last,
	// the number of intervals: Days+1 values. Days differ in length where the
	// clocks change.
	DayStart []int32
	// Columns by quantity, one value an interval over all days, NaN where
	// missing or below the detector's minimum quality. meter.ActivePower is the
	// mean power of the interval, kW; days missing altogether are NaN.
	Columns map[meter.Quantity][]float32
	// Good marks the intervals that were measured well; the others with a
	// value were estimated, substituted or edited.
	Good []bool
}

// Intervals returns the number of intervals of the curve.
func (c *Curve) Intervals() int {
	if len(c.DayStart) == 0 {
		return 0
	}
	return int(c.DayStart[len(c.DayStart)-1])
}

// Day returns the values of one quantity on day d (0 is the window's first);
// nil where the curve does not carry the quantity.
func (c *Curve) Day(q meter.Quantity, d int) []float32 {
	column := c.Columns[q]
	if column == nil {
		return nil
	}
	return column[c.DayStart[d]:c.DayStart[d+1]]
}
