package detect

import (
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// attributes are what the records say of a subject. Ids in them are real; the
// pseudonyms are put in when a window is built.
type attributes struct {
	numbers map[string]float64
	texts   map[string]string
}

// reference is what the records say beside those of the points and
// transformers themselves, once for all parts of a run.
type reference struct {
	in          *Input
	listed      map[string]listing // by customer
	loads       map[string]unmetered
	temperature []float32
	holiday     []bool
}

func newReference(in *Input) *reference {
	days, loc := span{in.First, in.Last}, in.location()
	return &reference{
		in:     in,
		listed: listings(in.Network, (in.Last + 1).Start(loc)), loads: unmeteredLoads(in.Network.Unmetered),
		temperature: dailyTemperature(in.Network.Weather, days, loc), holiday: holidays(in.Network.Calendar, days),
	}
}

// records are what one part looks up. It is forgotten with the part, so that
// a run over many parts does not gather all of them.
type records struct {
	*reference
	*register
	members map[string]int // points that belong to a transformer now
}

func (r *reference) records() *records {
	return &records{r, newRegister(r.in.Network, span{r.in.First, r.in.Last}, r.in.location()), make(map[string]int)}
}

// ofPoint gathers what the records say of a usage point; peers are added later.
func (r *records) ofPoint(p *point) attributes {
	network := r.network
	a := attributes{make(map[string]float64), make(map[string]string)}
	a.text(sdk.AttrPhase, string(p.current.Phase))
	a.text(sdk.AttrTransformer, p.current.TransformerID)
	if t := network.Transformer(p.current.TransformerID); t != nil {
		a.positive(sdk.AttrTransformerKVA, t.RatedKVA)
		n, counted := r.members[t.ID]
		if !counted {
			n = r.belonging(t.ID)
			r.members[t.ID] = n
		}
		a.numbers[sdk.AttrTransformerUPs] = float64(n)
	}
	if day, ok := p.meterExchanged(); ok {
		a.numbers[sdk.AttrMeterExchangeDay] = float64(day)
	}
	if c := network.Customer(p.current.CustomerID); c != nil {
		a.customer(r.in, c)
		if l, ok := r.listed[c.ID]; ok {
			a.listed(l)
		}
	}
	return a
}

func (a *attributes) peers(b band) {
	setNumber(a.numbers, sdk.AttrPeerLowKWh, b.low)
	setNumber(a.numbers, sdk.AttrPeerMedianKWh, b.median)
	setNumber(a.numbers, sdk.AttrPeerHighKWh, b.high)
	setNumber(a.numbers, sdk.AttrPeerNightKW, b.nightHigh)
	a.numbers[sdk.AttrPeerCount] = float64(b.count)
}

// ofTransformer gathers what the records say of a transformer.
func (r *records) ofTransformer(t *grid.PowerTransformer) attributes {
	a := attributes{make(map[string]float64), make(map[string]string)}
	a.positive(sdk.AttrRatedKVA, t.RatedKVA)
	a.positive(sdk.AttrNoLoadLossW, t.NoLoadLossW)
	a.positive(sdk.AttrLoadLossW, t.LoadLossW)
	a.text(sdk.AttrCooling, t.Cooling)
	a.text(sdk.AttrInsulation, t.InsulationClass)
	if u, ok := r.loads[t.ID]; ok {
		a.numbers[sdk.AttrUnmeteredKW] = u.always
		a.numbers[sdk.AttrStreetLightKW] = u.duskToDawn
	}
	return a
}

func (a *attributes) customer(in *Input, c *grid.Customer) {
	a.text(sdk.AttrCategory, string(c.Category))
	a.text(sdk.AttrDeclaredUse, c.DeclaredUse)
	a.text(sdk.AttrSubject, c.Subject)
	a.positive(sdk.AttrContractedKVA, c.ContractedKVA)
	a.numbers[sdk.AttrRegisteredDC] = oneIf(c.RegisteredDataCentre)
	if in.Tariffs.Known(c.TariffID) {
		a.text(sdk.AttrTariffKind, in.Tariffs.Kind(c.TariffID))
	}
	use := in.Uses.Use(c.DeclaredUse)
	if use == nil {
		return
	}
	if use.DailyKWhHigh > 0 {
		a.numbers[sdk.AttrExpectedLowKWh] = use.DailyKWhLow
		a.numbers[sdk.AttrExpectedHighKWh] = use.DailyKWhHigh
	}
	a.positive(sdk.AttrExpectedNight, use.NightDayRatio)
	a.numbers[sdk.AttrExpectedFlat] = oneIf(use.Flat)
}

// declared returns those attributes that a detector asked for. The maps are
// not to be changed: they may be those of the records.
func (a attributes) declared(d *sdk.Description) attributes {
	if d.Attributes == nil {
		return a
	}
	out := attributes{make(map[string]float64, len(d.Attributes)), make(map[string]string)}
	for _, name := range d.Attributes {
		if v, ok := a.numbers[name]; ok {
			out.numbers[name] = v
		}
		if v, ok := a.texts[name]; ok {
			out.texts[name] = v
		}
	}
	return out
}

// bearsAny reports whether one of the attributes is there, as a text or as a
// number that is not zero.
func (a attributes) bearsAny(names []string) bool {
	for _, name := range names {
		if a.numbers[name] != 0 || a.texts[name] != "" {
			return true
		}
	}
	return false
}

func (a *attributes) text(name, value string) {
	if value != "" {
		a.texts[name] = value
	}
}

func (a *attributes) positive(name string, value float64) {
	if value > 0 {
		setNumber(a.numbers, name, value)
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
