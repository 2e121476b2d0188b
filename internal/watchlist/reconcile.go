package watchlist

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// Input is what a list is reconciled over.
type Input struct {
	Network     *grid.Network
	First, Last curve.Date // of the loads, both inclusive
	Location    *time.Location
	Loads       map[string]Load // by usage point
	Claim       Claim
}

// Load is what a usage point drew over the days.
type Load struct {
	Days    int     // with a value
	BaseKW  float64 // median of the level that a day stays above nine hours in ten
	HighKW  float64 // mean power that nine days in ten stay below
	MeanKWh float64 // a day
}

// Claim is what the office says of its list as a whole; zeros where it says
// nothing.
type Claim struct {
	HashRateHS float64 `json:"hash_rate_hs,omitempty"`
	KWhDay     float64 `json:"kwh_day,omitempty"`
}

// Report is the reconciliation of all lists together and of each source.
type Report struct {
	FirstDay  curve.Date `json:"first_day"`
	LastDay   curve.Date `json:"last_day"`
	Total     Summary    `json:"total"`
	Sources   []Summary  `json:"sources"`   // by name
	Customers []Customer `json:"customers"` // with an address of their own, those that stand out most first
	Unjoined  []string   `json:"unjoined"`  // addresses without a customer
	Ambiguous []string   `json:"ambiguous"` // addresses that several customers held
}

// Summary is what came of one list.
type Summary struct {
	Source     string   `json:"source,omitempty"` // "" for all together
	LegalBases []string `json:"legal_bases"`
	Entries    int      `json:"entries"`

	// Each address is one of these.
	Addresses int `json:"addresses"`
	Expired   int `json:"expired"`   // all its entries have expired, or are of a later day
	Unjoined  int `json:"unjoined"`  // nobody held it while it was seen, by the records
	Ambiguous int `json:"ambiguous"` // several customers held it while it was seen: shared (carrier-grade translation) or passed on
	Joined    int `json:"joined"`    // one customer held it

	Customers  int `json:"customers"`   // with a joined address
	NotMetered int `json:"not_metered"` // of those, the ones without five days of load
	Fit        int `json:"fit"`         // the base load carries what the hash rate needs
	TooSmall   int `json:"too_small"`   // the load is less than half of what the best machines need
	Open       int `json:"open"`
	StandOut   int `json:"stand_out"` // base load beyond that of nine in ten peers
	// StandOutByChance is how many of the metered customers would stand out if
	// they were like their peers.
	StandOutByChance float64 `json:"stand_out_by_chance"`

	Algorithms []AlgorithmSum `json:"algorithms"` // of the addresses that are not expired
	// Expected is the power that the hash rates of joined, metered customers
	// need, or their share of the claim where no hash rates are listed.
	Expected  Power `json:"expected"`
	FromClaim bool  `json:"expected_from_claim"`

	BaseKW float64 `json:"base_kw"` // of the metered customers together
	// Beyond is their base load beyond that of their peers: low beyond what
	// nine in ten peers stay below, high beyond the peers' median.
	Beyond Span `json:"base_beyond_peers"`
	// Explained is the share of the expected power that the meters show, from
	// the least favourable to the most favourable reading.
	Explained  Span     `json:"explained"`
	Claim      *Implied `json:"claim,omitempty"`
	Conclusion []string `json:"conclusion"`
}

// Power is a range of power, kW: with the most efficient machines in use, with
// typical ones, with the least efficient.
type Power struct {
	LowKW     float64 `json:"low_kw"`
	TypicalKW float64 `json:"typical_kw"`
	HighKW    float64 `json:"high_kw"`
}

func (p *Power) add(q Power) {
	p.LowKW, p.TypicalKW, p.HighKW = p.LowKW+q.LowKW, p.TypicalKW+q.TypicalKW, p.HighKW+q.HighKW
}

// Span is a range.
type Span struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// AlgorithmSum is the hash rate listed under one algorithm.
type AlgorithmSum struct {
	Algorithm  string  `json:"algorithm"` // code of package mining, "" unknown
	Addresses  int     `json:"addresses"`
	HashRateHS float64 `json:"hash_rate_hs"`
	Power
}

// Implied is what the claim comes to.
type Implied struct {
	Claim
	KWPerAddress  float64  `json:"kw_per_address,omitempty"`
	JoulesPerHash float64  `json:"joules_per_hash,omitempty"`
	Within        []string `json:"within,omitempty"` // algorithms whose machines need so much
}

// Customer is one customer with addresses of his own on a list.
type Customer struct {
	CustomerID string   `json:"customer_id"`
	Sources    []string `json:"sources"`
	Addresses  int      `json:"addresses"`
	Expected   Power    `json:"expected"`
	Days       int      `json:"days"`
	BaseKW     float64  `json:"base_kw"`
	BeyondKW   float64  `json:"base_beyond_peers_kw"` // beyond what nine in ten peers stay below
	Outcome    string   `json:"outcome"`              // fits, too_small, open, not_metered
}

// Outcomes of a customer.
const (
	Fits       = "fits"
	TooSmall   = "too_small"
	Undecided  = "open"
	NotMetered = "not_metered"
)

// Reconcile holds the watchlist against the meters; nil where there is no list.
func Reconcile(in Input) *Report {
	if len(in.Network.Watchlist) == 0 {
		return nil
	}
	if in.Location == nil {
		in.Location = time.UTC
	}
	m := newMeters(&in)
	joined := join(in.Network, (in.Last + 1).Start(in.Location))
	r := &Report{FirstDay: in.First, LastDay: in.Last, Sources: []Summary{}, Customers: []Customer{}, Unjoined: []string{}, Ambiguous: []string{}}
	m.listed(joined)
	r.Total = m.summary("", joined, in.Claim)
	for _, source := range sources(joined) {
		claim := Claim{}
		if len(r.Sources) == 0 && oneSource(joined) {
			claim = in.Claim
		}
		r.Sources = append(r.Sources, m.summary(source, joined, claim))
	}
	for _, a := range joined {
		switch a.status {
		case unjoined:
			r.Unjoined = append(r.Unjoined, a.ip)
		case ambiguous:
			r.Ambiguous = append(r.Ambiguous, a.ip)
		}
	}
	r.Customers = m.customers(joined)
	return r
}

// WriteJSON writes the report as one indented JSON document.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write the reconciliation: %w", err)
	}
	return nil
}

func sources(list []*address) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.sources()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func oneSource(list []*address) bool { return len(sources(list)) == 1 }
