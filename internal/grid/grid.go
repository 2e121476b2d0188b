package grid

import "time"

// Phase of a usage point: A, B, C or ABC for a three-phase supply; "" unknown.
type Phase string

// Category of a customer.
type Category string

// Customer categories.
const (
	Residential  Category = "residential"
	Commercial   Category = "commercial"
	Industrial   Category = "industrial"
	Agricultural Category = "agricultural"
	Public       Category = "public"
)

// Class of a customer for approvals: residential, ordinary or important.
type Class string

// Customer classes.
const (
	ClassResidential Class = "residential"
	ClassOrdinary    Class = "ordinary"
	ClassImportant   Class = "important"
)

// PowerTransformer is a distribution transformer with its nameplate. Optional
// nameplate values are zero where the record gives none.
type PowerTransformer struct {
	ID              string
	FeederID        string
	SubstationID    string
	RatedKVA        float64
	MeterID         string // its own (balance) meter; "" where it has none
	Cooling         string // ONAN, ONAF, AN, AF …; "" is taken as ONAN
	HVKV, LVKV      float64
	NoLoadLossW     float64
	LoadLossW       float64
	ImpedancePct    float64
	InsulationClass string // dry-type: A, E, B, F, H …
	Lat, Lon        float64
	HasPosition     bool
}

// Customer is the holder of a supply contract.
type Customer struct {
	ID                   string
	Category             Category
	Class                Class
	DeclaredUse          string // a code of configs/uses.yaml, "other" where no synonym matched
	DeclaredUseText      string // as written in the record
	ContractedKVA        float64
	TariffID             string
	Subject              string // person or enterprise; "" where not recorded
	RegisteredDataCentre bool
	Protected            []string // life_support, medical, essential_service, other_users
}

// UsagePoint is a point of supply with the meter, customer and transformer
// assigned to it from ValidFrom (inclusive) to ValidTo (exclusive).
// Zero times are open ends.
type UsagePoint struct {
	ID            string
	MeterID       string
	CustomerID    string
	TransformerID string
	Phase         Phase
	CTRatio       float64 // 0 where not given
	PTRatio       float64 // 0 where not given
	Multiplier    float64 // 0 where not given
	ValidFrom     time.Time
	ValidTo       time.Time
}

// ValidAt reports whether the assignment holds at t.
func (u *UsagePoint) ValidAt(t time.Time) bool {
	return (u.ValidFrom.IsZero() || !t.Before(u.ValidFrom)) && (u.ValidTo.IsZero() || t.Before(u.ValidTo))
}

// Factor is the multiplier from secondary to primary values: the recorded
// multiplier, else CT ratio times PT ratio, else 1.
func (u *UsagePoint) Factor() float64 {
	if u.Multiplier > 0 {
		return u.Multiplier
	}
	f := 1.0
	if u.CTRatio > 0 {
		f *= u.CTRatio
	}
	if u.PTRatio > 0 {
		f *= u.PTRatio
	}
	return f
}

// WatchlistEntry is an address that an outside office says takes part in mining.
type WatchlistEntry struct {
	IP         string
	FirstSeen  time.Time
	LastSeen   time.Time
	Source     string
	LegalBasis string
	Expires    time.Time
	HashrateHS float64 // hashes a second; 0 unknown
	Algorithm  string
	Coin       string
}

// IPAssignment says which customer an address belonged to, and when.
type IPAssignment struct {
	IP         string
	CustomerID string
	From, To   time.Time // To zero: still
	Source     string
}

// WeatherPoint is the air temperature at a moment, °C.
type WeatherPoint struct {
	Time  time.Time
	TempC float64
}

// CalendarDay marks a local date (YYYY-MM-DD) as holiday or workday.
type CalendarDay struct {
	Date string
	Kind string // holiday, workday
	Name string
}

// UnmeteredLoad is a known load behind a transformer that has no meter.
type UnmeteredLoad struct {
	TransformerID string
	Kind          string // street_light, other
	KW            float64
	Hours         string // dusk_to_dawn, always
}

// MeterEvent is an event that a meter logged.
type MeterEvent struct {
	MeterID string
	Time    time.Time
	Code    string // one of sdk.EventCodes
}
