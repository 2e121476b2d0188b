package energybalance

import (
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// kind is what can be behind energy that the technical terms do not explain.
type kind int

const (
	constant kind = iota // a load that does not follow anybody
	lamps                // burns from dusk to dawn
	portion              // a fixed portion of one member's load
)

// anomaly is one explanation that the balance needs beyond the technical terms.
type anomaly struct {
	kind    kind
	member  int     // index in area.members, for portion
	from    int     // first day on which it holds
	stepped bool    // it began within the window
	size    float64 // coefficient: kW, or portion of the member's reading
	err     float64 // its standard error
	kw      float64 // mean power while it holds, negative for too little
	gain    float64 // log-likelihood gained
	share   float64 // share of the deviations that it takes away, 0 … 1
	rivals  []rival // other members that explain it nearly as well
	pattern float64 // what is left of a daily rhythm when it is explained, a share of its power
}

type rival struct {
	member int
	gain   float64
	size   float64
}

const (
	// hourlyGain is the log-likelihood that a further explanation must gain: a
	// hundred members and a hundred days to choose from cost ln(10⁴) = 9. Days
	// only decide whether the hours are worth looking at.
	hourlyGain = 10
	dailyGain  = 4
	// screened is how many members are looked at closely for each period.
	screened   = 6
	maxRounds  = 3
	minStepT   = 4
	minPortion = 0.05
	maxPortion = 4 // of its reading: a meter that leaves out more is noticed by reading it
)

// balance is a complete account of an area.
type balance struct {
	a         *area
	y         []float64 // input less metered sum
	fit       fitted    // with everything that was accepted
	anomalies []anomaly
	meanInput float64
	minGain   float64 // log-likelihood that a further explanation must gain
	lamps     bool    // recorded or found: the hours of dusk and dawn prove nothing
}

// account explains the balance of an area: technical terms first, then one
// explanation at a time as long as it gains enough.
func account(a *area, terms []term, gain float64) *balance {
	b := &balance{a: a, minGain: gain, y: make([]float64, len(a.input)), meanInput: robust.Mean(a.input)}
	for t := range b.y {
		b.y[t] = a.input[t] - a.metered(t)
	}
	for _, t := range terms {
		b.lamps = b.lamps || t.name == lampTerm
	}
	b.fit = fit(b.y, terms, a.perDay, b.use)
	for range maxRounds {
		if b.fit.n < 5 {
			break
		}
		found, fitted, ok := b.next()
		if !ok {
			break
		}
		b.fit = fitted
		b.anomalies = append(b.anomalies, found)
		b.lamps = b.lamps || found.kind == lamps
	}
	for k := range b.anomalies {
		b.measure(&b.anomalies[k], len(terms)+k)
	}
	return b
}

// use reports whether interval t may decide. Where lamps burn, the hours in
// which they go on and off depend on season and cloud and are left out.
func (b *balance) use(t int) bool {
	if !b.lamps || b.a.perDay == 1 {
		return true
	}
	_, maybe := darkness(b.a, t)
	return maybe == 0
}

// material is the mean power, kW, below which a balance proves nothing.
func (b *balance) material() float64 { return max(0.05, 0.0025*b.meanInput) }

// next looks for the explanation that gains most.
func (b *balance) next() (best anomaly, with fitted, ok bool) {
	starts := []int{0}
	if day, found := b.onset(); found {
		starts = append(starts, day)
	}
	var rivals []rival
	try := func(c anomaly, x []float64, spread float64) {
		f := fit(b.y, append(slices.Clone(b.fit.terms), term{"anomaly", x, 0, spread}), b.a.perDay, b.use)
		last := len(f.terms) - 1
		c.size, c.err = f.coefficients[last], f.errors[last]
		c.kw = c.size * b.meanOver(x, c.from)
		c.gain = f.n * math.Log(b.fit.loss/f.loss)
		c.share = 1 - f.loss/b.fit.loss
		if c.size < 0 && c.kind != portion || c.kind == portion && (c.size > maxPortion || math.Abs(c.size) < minPortion) {
			return
		}
		if math.Abs(c.kw) < b.material() || math.Abs(c.size) < 4*c.err || c.gain < b.minGain || math.IsNaN(c.gain) {
			return
		}
		if c.kind == portion {
			rivals = append(rivals, rival{c.member, c.gain, c.size})
		}
		if !ok || c.gain > best.gain {
			best, with, ok = c, f, true
		}
	}
	for _, from := range starts {
		try(anomaly{kind: constant, from: from, stepped: from > 0}, b.since(from, func(int) float64 { return 1 }), 0.5*max(b.a.rated, 50))
		for _, m := range b.screen(from) {
			kw := b.a.members[m].kw
			try(anomaly{kind: portion, member: m, from: from, stepped: from > 0}, b.since(from, func(t int) float64 { return kw[t] }), 2)
		}
	}
	if b.a.perDay > 1 {
		try(anomaly{kind: lamps}, b.since(0, func(t int) float64 {
			sure, maybe := darkness(b.a, t)
			return sure + maybe/2
		}), 0.2*max(b.a.rated, 50))
	}
	best.rivals = rivals
	return best, with, ok
}

// since is a column that is 0 before a day and follows x from then on.
func (b *balance) since(day int, x func(t int) float64) []float64 {
	out := make([]float64, len(b.y))
	for t := day * b.a.perDay; t < len(out); t++ {
		out[t] = x(t)
	}
	return out
}

func (b *balance) meanOver(x []float64, from int) float64 { return robust.Mean(x[from*b.a.perDay:]) }

// onset is the day on which what is unexplained rose or fell most clearly.
func (b *balance) onset() (int, bool) {
	daily := make([]float64, b.a.days)
	for d := range daily {
		daily[d] = robust.Mean(b.fit.residual[d*b.a.perDay : (d+1)*b.a.perDay])
	}
	best, found := robust.FindStep(daily, b.material()/8)
	for d := range daily {
		daily[d] = -daily[d]
	}
	if down, ok := robust.FindStep(daily, b.material()/8); ok && (!found || down.T > best.T) {
		best, found = down, true
	}
	return best.At, found && best.T > minStepT
}

// screen returns the members whose load goes along with what is unexplained.
func (b *balance) screen(from int) []int {
	type scored struct {
		member int
		value  float64
	}
	var all []scored
	for m := range b.a.members {
		c := math.Abs(robust.Correlation(b.fit.residual[from*b.a.perDay:], b.a.members[m].kw[from*b.a.perDay:]))
		if c > 0.05 {
			all = append(all, scored{m, c})
		}
	}
	slices.SortFunc(all, func(x, y scored) int {
		switch {
		case x.value > y.value:
			return -1
		case x.value < y.value:
			return 1
		}
		return x.member - y.member
	})
	var out []int
	for _, s := range all[:min(screened, len(all))] {
		out = append(out, s.member)
	}
	return out
}

// measure takes the final size of an accepted explanation and, for a constant
// one, how constant it is.
func (b *balance) measure(c *anomaly, at int) {
	c.size, c.err = b.fit.coefficients[at], b.fit.errors[at]
	c.kw = c.size * b.meanOver(b.fit.terms[at].x, c.from)
	if b.a.perDay == 1 {
		return
	}
	profile := make([]float64, b.a.perDay)
	var v []float64
	for k := range profile {
		v = v[:0]
		for d := c.from; d < b.a.days && b.use(k); d++ {
			v = append(v, b.fit.residual[d*b.a.perDay+k])
		}
		profile[k] = robust.Median(v)
	}
	c.pattern = (robust.Quantile(profile, 0.9) - robust.Quantile(profile, 0.1)) / max(math.Abs(c.kw), 1e-6)
}
