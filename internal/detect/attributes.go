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

// pointAttributes gathers the attributes of every usage point by id.
func pointAttributes(in *Input, r *roster, f *frame) map[string]attributes {
	network := in.Network
	bands := peerBands(network, r, f)
	listed := listings(network, (in.Last + 1).Start(in.location()))
	members := make(map[string]int, len(r.areas))
	for _, p := range r.points {
		members[p.current.TransformerID]++
	}
	out := make(map[string]attributes, len(r.points))
	for _, p := range r.points {
		a := attributes{make(map[string]float64), make(map[string]string)}
		a.text(sdk.AttrPhase, string(p.current.Phase))
		a.text(sdk.AttrTransformer, p.current.TransformerID)
		if t := network.Transformer(p.current.TransformerID); t != nil {
			a.positive(sdk.AttrTransformerKVA, t.RatedKVA)
			a.numbers[sdk.AttrTransformerUPs] = float64(members[t.ID])
		}
		if c := network.Customer(p.current.CustomerID); c != nil {
			a.customer(in, c)
			if l, ok := listed[c.ID]; ok {
				a.numbers[sdk.AttrListedIP] = 1
				a.positive(sdk.AttrListedHashrate, l.hashrateHS)
			}
		}
		if b, ok := bands[p.id]; ok {
			setNumber(a.numbers, sdk.AttrPeerLowKWh, b.low)
			setNumber(a.numbers, sdk.AttrPeerMedianKWh, b.median)
			setNumber(a.numbers, sdk.AttrPeerHighKWh, b.high)
			setNumber(a.numbers, sdk.AttrPeerNightKW, b.nightHigh)
			a.numbers[sdk.AttrPeerCount] = float64(b.count)
		}
		out[p.id] = a
	}
	return out
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

// transformerAttributes gathers the attributes of every transformer by id.
func transformerAttributes(network *grid.Network) map[string]attributes {
	loads := unmeteredLoads(network.Unmetered)
	out := make(map[string]attributes, len(network.Transformers))
	for i := range network.Transformers {
		t := &network.Transformers[i]
		a := attributes{make(map[string]float64), make(map[string]string)}
		a.positive(sdk.AttrRatedKVA, t.RatedKVA)
		a.positive(sdk.AttrNoLoadLossW, t.NoLoadLossW)
		a.positive(sdk.AttrLoadLossW, t.LoadLossW)
		a.text(sdk.AttrCooling, t.Cooling)
		a.text(sdk.AttrInsulation, t.InsulationClass)
		if u, ok := loads[t.ID]; ok {
			a.numbers[sdk.AttrUnmeteredKW] = u.always
			a.numbers[sdk.AttrStreetLightKW] = u.duskToDawn
		}
		out[t.ID] = a
	}
	return out
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
