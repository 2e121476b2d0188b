package accuracy

import "math/rand/v2"

// Miner adds a mine to a load in place and records the truth. temp is the
// outdoor temperature in °C of each hour.
type Miner func(rng *rand.Rand, l *Load, temp []float64)

// Flat is a kind of legitimate load that looks like a mine; Add puts one into
// a load, with what the records say of it, and records the truth.
type Flat struct {
	Kind string
	Add  Miner
}

// Injector makes mines and legitimate flat loads.
type Injector struct {
	Name  string
	Mine  Miner
	Flats []Flat
}

// Shapes is the injector of this package: mines of identical or mixed machines,
// flat loads by their usual curves.
func Shapes() Injector {
	in := Injector{Name: "shapes", Mine: func(rng *rand.Rand, l *Load, temp []float64) {
		if rng.IntN(2) == 0 {
			UnitMiner(rng, l, temp)
			return
		}
		RigMiner(rng, l, temp)
	}}
	for _, kind := range FlatKinds() {
		in.Flats = append(in.Flats, Flat{kind, func(rng *rand.Rand, l *Load, temp []float64) { AddFlat(rng, kind, l, temp) }})
	}
	return in
}
