package energybalance

import (
	"context"
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/balance"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// kind is what can be behind energy that the technical terms do not explain.
type kind int

const (
	constant kind = iota // a load that does not follow anybody
	rhythm               // a load with a day of its own
	lamps                // burns from dusk to dawn
	portion              // a fixed portion of one member's load
	byHours              // a portion that differs with the time of day
	capped               // a load that is there while one member's meter shows its most
	absent               // one member's whole load, negative: it hangs elsewhere
)

// anomaly is one explanation that the balance needs beyond the technical terms.
type anomaly struct {
	kind    kind
	member  int // index in area.Members, where the kind has one
	from    int // first day on which it holds
	terms   []balance.Term
	at      []int   // places of the terms in the model
	size    float64 // coefficient of its first term
	err     float64 // standard error of that
	kw      float64 // mean power while it holds, negative for too little
	support float64 // log-odds for it against none
}

func (c *anomaly) stepped() bool { return c.from > 0 }

const (
	// accept is the log-odds, prior included, from which an explanation holds.
	accept    = 2.0
	maxRounds = 5
	// together is how many days apart two beginnings are one.
	together    = 3
	rhythmSlots = 12   // parts of the day that are told apart
	usualPlace  = -4.0 // log-odds of a wrong entry of the registry
	// edge is how many days a level must last to be one.
	edge = 3
	// Before looking, as log-odds: what an area may hold.
	priorConstant = -2.0
	priorRhythm   = -2.0
	priorPortion  = -2.0
	priorHours    = -1.0
	priorLamps    = -2.5
	nearest       = 3    // days of onset that are looked at closely for each member
	loadShare     = 0.12 // of the mean input: what an unknown load usually is
)

// account is a complete account of an area.
type account struct {
	a         *balance.Area
	y         []float64 // input less metered sum
	base      []balance.Term
	model     *balance.Model // with everything that was accepted
	anomalies []anomaly
	absent    []anomaly // members that hang elsewhere, where nobody looked before
	almost    anomaly   // the best that was not accepted
	meanInput float64
	lamps     bool // recorded ones
}

// explain accounts for the balance of an area: technical terms first, then
// one explanation at a time as long as it is likelier than none. placed says
// that it was asked before who hangs elsewhere.
func explain(ctx context.Context, a *balance.Area, s *sdk.Subject, placed bool) *account {
	b := &account{a: a, y: a.Difference(), meanInput: a.MeanInput(), lamps: s.Number(sdk.AttrStreetLightKW) > 0}
	technical := balance.Technical(a, s)
	if !placed {
		b.place(ctx, technical)
	}
	b.model = balance.Clocks(a, b.y, append(technical, balance.MemberTerms(a)...))
	b.base = b.model.Terms
	for range maxRounds {
		if b.model.N < 8 || ctx.Err() != nil {
			break
		}
		best := b.next()
		if best.support < accept {
			b.almost = best
			break
		}
		b.anomalies = append(b.anomalies, best)
		b.model = balance.Explain(a, b.y, b.terms(), b.model)
	}
	b.measure()
	b.join()
	return b
}

// place looks for members that hang elsewhere where nobody did so before.
func (b *account) place(ctx context.Context, technical []balance.Term) {
	for m, p := range balance.Places(ctx, b.a, b.y, technical) {
		if p.LogOdds+usualPlace < 0 || math.Abs(p.Slope+1) > 0.4 {
			continue
		}
		member := &b.a.Members[m]
		member.Doubt = robust.Sigmoid(p.LogOdds + usualPlace)
		b.absent = append(b.absent, anomaly{kind: absent, member: m, size: p.Slope, err: p.Err, kw: p.Slope * member.Mean(), support: p.LogOdds + usualPlace})
	}
}

// join makes one of what began at the same time: a load of nobody's shape
// takes several of the shapes that are known to be described.
func (b *account) join() {
	at := len(b.base)
	first := make([]int, len(b.anomalies))
	for i := range b.anomalies {
		first[i] = at
		at += len(b.anomalies[i].terms)
		b.anomalies[i].at = nil
		for j := range b.anomalies[i].terms {
			b.anomalies[i].at = append(b.anomalies[i].at, first[i]+j)
		}
	}
	var out []anomaly
	for _, c := range b.anomalies {
		joined := false
		for i := range out {
			o := &out[i]
			if c.kind == lamps || o.kind == lamps || c.stepped() != o.stepped() || max(c.from-o.from, o.from-c.from) > together {
				continue
			}
			o.terms, o.at, joined = append(o.terms, c.terms...), append(o.at, c.at...), true
			if c.kw > o.kw {
				o.kind, o.member, o.from, o.size, o.err = c.kind, c.member, c.from, c.size, c.err
			}
			o.kw += c.kw
			o.support = max(o.support, c.support)
			break
		}
		if !joined {
			out = append(out, c)
		}
	}
	b.anomalies = out
}

// terms are those of everything that is accepted.
func (b *account) terms() []balance.Term {
	out := append([]balance.Term(nil), b.base...)
	for i := range b.anomalies {
		out = append(out, b.anomalies[i].terms...)
	}
	return out
}

// material is the mean power, kW, below which a balance proves nothing.
func (b *account) material() float64 { return max(0.03, 0.0015*b.meanInput) }

// least is the mean power that a load from some day on must have. What is
// there from the first day must exceed what losses are not known to.
func (b *account) least(from int) float64 {
	if from > 0 {
		return b.material()
	}
	return max(0.08, 0.006*b.meanInput)
}

// next looks for the explanation that is likeliest.
func (b *account) next() anomaly {
	best := anomaly{support: math.Inf(-1)}
	take := func(c anomaly) {
		if c.support > best.support {
			best = c
		}
	}
	days := b.onsets()
	b.constants(days, take)
	b.portions(days, take)
	if b.a.PerDay > 1 {
		b.stretchesOfDay(days, take)
		b.rhythms(best.from, take)
		b.streetLight(take)
	}
	return best
}

// onsets lists the days on which something may begin: the first, and every one
// that leaves a stretch on both sides.
func (b *account) onsets() []int {
	out := []int{0}
	for d := edge; d <= b.a.Days-edge; d++ {
		out = append(out, d)
	}
	return out
}

// began is the log-prior of a day of onset: as likely from the first day on as
// later, and each later day alike.
func (b *account) began(day int) float64 {
	if day == 0 {
		return math.Log(0.4)
	}
	return math.Log(0.6 / float64(max(b.a.Days-2*edge, 1)))
}

func (b *account) ones() []float64 {
	x := make([]float64, len(b.y))
	for t := range x {
		x[t] = 1
	}
	return x
}

// since is a column that is 0 before a day and x from then on.
func (b *account) since(x []float64, day int) []float64 {
	out := make([]float64, len(x))
	copy(out[day*b.a.PerDay:], x[day*b.a.PerDay:])
	return out
}

func (b *account) constants(days []int, take func(anomaly)) {
	one := b.ones()
	spread := loadShare*b.meanInput + 0.3
	bestSupport, best := math.Inf(-1), -1
	estimates := b.model.Since(one, days)
	for k, e := range estimates {
		if e.Size < b.least(days[k]) {
			continue
		}
		if s := e.Gain(0, spread) + math.Ln2 + priorConstant + b.began(days[k]); s > bestSupport {
			bestSupport, best = s, k
		}
	}
	if best >= 0 {
		e := estimates[best]
		take(anomaly{kind: constant, from: days[best], size: e.Size, err: e.Err, kw: e.Size, support: bestSupport,
			terms: []balance.Term{{Name: "constant", X: b.since(one, days[best]), Spread: spread}}})
	}
}

// portions tries each member's load: a portion of it, from any day on, or
// another portion in each quarter of the day. That its own reading fell as
// much on that day counts for it.
func (b *account) portions(days []int, take func(anomaly)) {
	each := -math.Log(float64(len(b.a.Members)))
	support := make([]float64, len(days))
	for m := range b.a.Members {
		kw := b.a.Members[m].KW
		estimates := b.model.Since(kw, days)
		means := b.tailMeans(kw, days)
		for k, e := range estimates {
			if support[k] = math.Inf(-1); e.Size > 0.04 && e.Size*means[k] > b.least(days[k]) {
				support[k] = e.Gain(0.8, 1) + priorPortion + each + b.began(days[k])
			}
		}
		for range nearest {
			k := highest(support)
			if math.IsInf(support[k], 0) || support[k] < accept-maxMoved {
				break
			}
			e, from, s := estimates[k], days[k], support[k]
			support[k] = math.Inf(-1)
			c := anomaly{kind: portion, member: m, from: from, size: e.Size, err: e.Err, kw: e.Size * means[k],
				terms: []balance.Term{{Name: "portion", X: b.since(kw, from), Expect: 0.8, Spread: 1}}}
			fell := 0.0
			if c.stepped() {
				_, fell, _ = b.moved(&c, m, b.model.Residual)
			}
			c.support = s + fell
			take(c)
			hours := anomaly{kind: byHours, member: m, from: from, terms: b.blocks(kw, from)}
			gain, sizes := b.model.Together(hours.terms)
			for q, term := range hours.terms {
				hours.kw += sizes[q] * robust.Mean(term.X[from*b.a.PerDay:])
			}
			hours.size, hours.support = e.Size, gain+priorPortion+priorHours+each+b.began(from)+fell
			if hours.kw > b.least(from) {
				take(hours)
			}
		}
	}
}

func highest(v []float64) int {
	best := 0
	for k := range v {
		if v[k] > v[best] {
			best = k
		}
	}
	return best
}

// tailMeans are the means from each of the days on.
func (b *account) tailMeans(kw []float64, days []int) []float64 {
	out := make([]float64, len(days))
	sum, end := 0.0, len(kw)
	for k := len(days) - 1; k >= 0; k-- {
		for start := days[k] * b.a.PerDay; end > start; end-- {
			sum += kw[end-1]
		}
		out[k] = sum / float64(max(len(kw)-end, 1))
	}
	return out
}

// stretchesOfDay tries a load that runs for some hours of each day.
func (b *account) stretchesOfDay(days []int, take func(anomaly)) {
	spread := 2*loadShare*b.meanInput + 0.3
	for _, hours := range [...]int{4, 9} {
		for start := 0; start < 24; start += 2 {
			x := make([]float64, len(b.y))
			for t := range x {
				if h := t % b.a.PerDay * 24 / b.a.PerDay; (h-start+24)%24 < hours {
					x[t] = 1
				}
			}
			for k, e := range b.model.Since(x, days) {
				kw := e.Size * float64(hours) / 24
				if kw < b.least(days[k]) {
					continue
				}
				if s := e.Gain(0, spread) + math.Ln2 + priorRhythm - math.Log(24) + b.began(days[k]); s >= accept {
					take(anomaly{kind: rhythm, from: days[k], size: e.Size, err: e.Err, kw: kw, support: s,
						terms: []balance.Term{{Name: "stretch", X: b.since(x, days[k]), Spread: spread}}})
				}
			}
		}
	}
}

// rhythms tries a load with a day of its own, from the first day, from the
// day on which something simpler began and from those on which any part of the
// day changed most.
func (b *account) rhythms(onset int, take func(anomaly)) {
	starts := []int{0}
	for _, d := range append([]int{onset}, b.breaks()...) {
		if !slices.Contains(starts, d) {
			starts = append(starts, d)
		}
	}
	spread := 0.5*loadShare*b.meanInput + 0.15
	for _, from := range starts {
		c := anomaly{kind: rhythm, from: from}
		one := balance.Term{Name: "constant", X: b.since(b.ones(), from), Spread: loadShare*b.meanInput + 0.3}
		c.terms = append([]balance.Term{one}, balance.Rhythm(b.a, from, spread, rhythmSlots)...)
		gain, sizes := b.model.Together(c.terms)
		c.support = gain + priorRhythm + b.began(from)
		for j, term := range c.terms {
			c.kw += sizes[j] * robust.Mean(term.X[from*b.a.PerDay:])
		}
		c.size = c.kw
		if c.kw > b.least(from) || c.kw < 0 {
			take(c)
		}
	}
}

// breaks are the days at which what is left over changes most, part of the day
// by part of the day: overall, and in any one part.
func (b *account) breaks() []int {
	const bins = 8
	days := b.a.Days
	if days < 4*edge || b.a.PerDay < bins {
		return nil
	}
	total := make([]float64, days)
	single, singleGain := 0, 0.0
	for bin := range bins {
		v := b.daily(b.model.Residual, bin, bins)
		for d := edge; d <= days-edge; d++ {
			g := splitGain(v, d)
			total[d] += g
			if g > singleGain {
				single, singleGain = d, g
			}
		}
	}
	best := edge
	for d := edge; d <= days-edge; d++ {
		if total[d] > total[best] {
			best = d
		}
	}
	if single == 0 || single == best {
		return []int{best}
	}
	return []int{best, single}
}

// splitGain is the log-likelihood that two levels gain over one.
func splitGain(v []float64, at int) float64 {
	deviations := func(x []float64) (sum, n float64) {
		m := robust.Mean(x)
		for _, y := range x {
			if !math.IsNaN(y) {
				sum += (y - m) * (y - m)
				n++
			}
		}
		return sum, n
	}
	whole, n := deviations(v)
	before, n0 := deviations(v[:at])
	after, n1 := deviations(v[at:])
	if n0 < 2 || n1 < 2 || !(before+after > 0) {
		return 0
	}
	return n / 2 * math.Log(whole/(before+after))
}

// streetLight tries lamps: all night alike, dark at noon, and in the hours of
// dusk and dawn what the season makes of it.
func (b *account) streetLight(take func(anomaly)) {
	for i := range b.anomalies {
		if b.anomalies[i].kind == lamps {
			return
		}
	}
	sure := make([]float64, len(b.y))
	for t := range sure {
		sure[t], _ = b.a.Darkness(t)
	}
	e := b.model.Try(sure)
	if !e.Known() || math.Abs(e.Size) < b.material() || e.Size < 0 && !b.lamps {
		return
	}
	spread := 0.08*b.meanInput + 0.2
	c := anomaly{kind: lamps, size: e.Size, err: e.Err, kw: e.Size * 0.45}
	c.terms = append([]balance.Term{{Name: balance.TermLamps, X: sure, Spread: spread}}, balance.DuskTerms(b.a, 0, 0.4*math.Abs(e.Size)+0.01)...)
	gain, _ := b.model.Together(c.terms)
	c.support = gain + priorLamps
	take(c)
}

// measure takes the final sizes of what was accepted.
func (b *account) measure() {
	at := len(b.base)
	for i := range b.anomalies {
		c := &b.anomalies[i]
		c.size, c.err = b.model.Coefficients[at], b.model.Uncertainty(at)
		c.kw = 0
		for j, term := range c.terms {
			c.kw += b.model.Coefficients[at+j] * robust.Mean(term.X[c.from*b.a.PerDay:])
		}
		at += len(c.terms)
	}
}

// share is what anomaly k takes of the difference, by interval.
func (b *account) share(k int) []float64 {
	out := make([]float64, len(b.y))
	for j, term := range b.anomalies[k].terms {
		size := b.model.Coefficients[b.anomalies[k].at[j]]
		for t, x := range term.X {
			out[t] += size * x
		}
	}
	return out
}
