package energybalance

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Log-odds that the balance gives a member.
const (
	balanced     = -0.7 // the area balances: two thefts in three would have shown
	notPointedAt = -0.3 // something is missing, and this member's load does not point at itself
	cleared      = -2.0 // the records are wrong about this member
	maxSuspicion = 9.0
	// someone is what an unexplained constant load says of each of the members:
	// one time in two it is fed around a meter rather than tapped by nobody.
	anyBypass = 0.5
	// patternLimit is the daily variation beyond which a load is no machine
	// that runs through but somebody's day.
	patternLimit = 0.5
	// stranger is what a daily rhythm that stays behind speaks against a
	// member: a customer of the same trade whom the records place elsewhere
	// goes along with him, but never leaves nothing.
	stranger = 7.0
	ownGain  = 4.0
)

// account of one anomaly in words and numbers.
type judgement struct {
	c        *anomaly
	reason   string
	verdict  string
	certain  float64 // log-odds that the finding on the transformer holds
	suspects []suspicion
}

// suspicion is what the balance says of one member.
type suspicion struct {
	member   int
	logOdds  float64
	evidence []sdk.Evidence
}

// judge says what an anomaly is.
func (b *balance) judge(c *anomaly, fine *area, residual []float64) judgement {
	j := judgement{c: c, certain: min(3+c.gain/20, 8)}
	switch c.kind {
	case lamps:
		j.reason, j.verdict = "unrecorded_street_light", sdk.VerdictRecordsError
	case portion:
		switch {
		case c.size < -0.6:
			j.reason, j.verdict = "member_not_here", sdk.VerdictRecordsError
		case c.size < 0:
			j.reason, j.verdict = "over_registration", sdk.VerdictRecordsError
		default:
			j.suspects = b.fractional(c)
			j.reason, j.verdict = "fractional_theft", sdk.VerdictTheft
			if len(j.suspects) == 0 || j.suspects[0].logOdds < suspected {
				// It follows somebody's rhythm but no member's load well enough: a
				// customer whom the records place elsewhere, or an unmetered one.
				j.unknownCustomer()
			}
		}
	default:
		if c.pattern > patternLimit && !c.stepped {
			j.unknownCustomer()
			break
		}
		j.suspects = b.bypass(c, fine, residual)
		j.reason, j.verdict = "unmetered_load", sdk.VerdictUnmeteredLoad
		if len(j.suspects) > 0 && j.suspects[0].logOdds >= suspected {
			j.reason, j.verdict = "bypass_theft", sdk.VerdictTheft
		}
	}
	return j
}

// suspected is the log-odds from which a member is named: a likelihood ratio
// of 30, which makes one in a hundred one in four.
const suspected = 3.4

func (j *judgement) unknownCustomer() {
	j.suspects = nil
	if j.c.stepped {
		j.reason, j.verdict = "unmetered_load", sdk.VerdictUnmeteredLoad
	} else {
		j.reason, j.verdict = "customer_missing_in_records", sdk.VerdictRecordsError
	}
}

// fractional weighs the members whose load the missing energy is proportional
// to: how much of the deviation the best one takes away, how far it leads the
// next, and whether its own reading fell when the theft began.
func (b *balance) fractional(c *anomaly) []suspicion {
	total := 0.0
	for _, r := range c.rivals {
		if r.size > 0 {
			total += math.Exp(r.gain - c.gain)
		}
	}
	var out []suspicion
	for _, r := range c.rivals {
		if r.size < minPortion {
			continue
		}
		lead := math.Exp(r.gain-c.gain) / total
		if lead < 0.02 {
			continue
		}
		s := suspicion{member: r.member, logOdds: explained(c.share) + math.Log(lead) - stranger*robust.Ramp(c.pattern, 0.05, 0.2)}
		s.evidence = append(s.evidence, portionEvidence(c, r, s.logOdds))
		if weight := b.own(r, c); weight != 0 {
			s.logOdds += weight
			s.evidence = append(s.evidence, ownEvidence(weight))
		}
		if c.stepped && r.member == c.member {
			fell := b.fell(r.member, c)
			expect := 1 / (1 + r.size)
			weight := 1.5 * (1 - 2*robust.Ramp(math.Abs(math.Log(fell/expect)), 0.1, 0.5))
			if !math.IsNaN(fell) && r.size > 0.2 {
				s.logOdds += weight
				s.evidence = append(s.evidence, fellEvidence(fell, expect, weight))
			}
		}
		s.logOdds = min(s.logOdds, maxSuspicion)
		out = append(out, s)
	}
	return sorted(out)
}

// own asks whether the missing energy follows what is the member's own, its
// departures from its usual day, as it must where its meter leaves out a
// share; a stranger of the same trade shares the usual day only. The slope of
// the missing energy on the departures, over that on the whole load, is 1 for
// the member and 0 for a stranger; the log-odds are those of the two.
func (b *balance) own(r rival, c *anomaly) float64 {
	perDay, kw := b.a.perDay, b.a.members[r.member].kw
	missing := make([]float64, len(b.y))
	for t := range missing {
		missing[t] = b.fit.residual[t]
		if t >= c.from*perDay {
			missing[t] += c.size * b.a.members[c.member].kw[t]
		}
	}
	e, p := departures(missing, perDay, c.from, b), departures(kw, perDay, c.from, b)
	var pp, pe, ee, n float64
	for t := range e {
		if x := e[t] * p[t]; !math.IsNaN(x) {
			pp += p[t] * p[t]
			pe += x
			ee += e[t] * e[t]
			n++
		}
	}
	n /= max(blockHours*float64(perDay)/24, 1)
	if n < 10 || pp <= 0 {
		return 0
	}
	slope := pe / pp / r.size
	err := math.Sqrt(max(ee-pe*pe/pp, 0)/pp/n) / math.Abs(r.size)
	like := func(mean, spread float64) float64 {
		v := err*err + spread*spread
		return -(slope-mean)*(slope-mean)/(2*v) - math.Log(v)/2
	}
	return min(max(like(1, 0.15)-like(0, 0.25), -stranger), ownGain)
}

// departures are what a series differs by from its median at the same time of
// day on days of the same kind, with outliers held in.
func departures(v []float64, perDay, from int, b *balance) []float64 {
	out := make([]float64, len(v))
	for t := range out {
		out[t] = math.NaN()
	}
	for k := range perDay {
		for _, kind := range [...]int8{workday, saturday, restDay} {
			var at []int
			var values []float64
			for d := from; d < b.a.days; d++ {
				if t := d*perDay + k; b.a.dayKind[d] == kind && b.use(t) {
					at, values = append(at, t), append(values, v[t])
				}
			}
			if len(at) < 4 {
				continue
			}
			m, spread := robust.Median(values), robust.MAD(values)
			for _, t := range at {
				out[t] = min(max(v[t]-m, -4*spread), 4*spread)
			}
		}
	}
	return out
}

// explained turns the share of the deviations that a member's load takes away
// into log-odds. A stranger's load of similar rhythm takes away a third or so.
func explained(share float64) float64 {
	knots := [...][2]float64{{0.05, 0}, {0.2, 2}, {0.35, 4}, {0.5, 6}, {0.7, 8.5}, {1, 9}}
	for i := 1; i < len(knots); i++ {
		if share <= knots[i][0] {
			low, high := knots[i-1], knots[i]
			return low[1] + (high[1]-low[1])*max(share-low[0], 0)/(high[0]-low[0])
		}
	}
	return maxSuspicion
}

// fell is the member's reading after the onset over that before.
func (b *balance) fell(m int, c *anomaly) float64 {
	kw, at := b.a.members[m].kw, c.from*b.a.perDay
	span := 14 * b.a.perDay
	return robust.Mean(kw[at:min(at+span, len(kw))]) / robust.Mean(kw[max(at-span, 0):at])
}

// bypass weighs the members for a load that may be fed around a meter: by the
// outages that they share with it, and by a fall of their own reading of its
// size at its onset, as when a load that was metered is moved.
func (b *balance) bypass(c *anomaly, fine *area, residual []float64) []suspicion {
	logOdds, hits := make([]float64, len(fine.members)), make([]int, len(fine.members))
	if c.pattern <= patternLimit {
		logOdds, hits = b.pointers(fine, c, residual)
	}
	any := math.Log(anyBypass / float64(len(fine.members)) / 0.01)
	var out []suspicion
	for m, l := range logOdds {
		s := suspicion{member: m, logOdds: any}
		if hits[m] > 0 {
			s.logOdds += l
			s.evidence = append(s.evidence, outageEvidence(c, hits[m], l))
		}
		if fall, weight := b.moved(m, c); weight > 0 {
			s.logOdds += weight
			s.evidence = append(s.evidence, movedEvidence(c, fall, weight))
		}
		s.logOdds = min(s.logOdds, maxSuspicion)
		if len(s.evidence) > 0 && s.logOdds > 0 {
			out = append(out, s)
		}
	}
	return sorted(out)
}

// maxMoved bounds what a coincident fall says: holidays begin on some day too.
const (
	maxMoved = 5.0
	minMoved = 0.5 // of the missing load: a fall of less is another matter
)

// moved returns by how much the member's reading fell at the onset, kW, and
// the log-odds that this is the missing load rather than chance.
func (b *balance) moved(m int, c *anomaly) (fall, logOdds float64) {
	if !c.stepped || m >= len(b.a.members) {
		return 0, 0
	}
	daily := make([]float64, b.a.days)
	for d := range daily {
		daily[d] = robust.Mean(b.a.members[m].kw[d*b.a.perDay : (d+1)*b.a.perDay])
	}
	var usual []float64 // falls over the same span around other days
	change := func(at int) float64 {
		return robust.Mean(daily[max(at-14, 0):at]) - robust.Mean(daily[at:min(at+14, b.a.days)])
	}
	for at := 5; at <= b.a.days-5; at++ {
		if at < c.from-10 || at > c.from+10 {
			usual = append(usual, change(at))
		}
	}
	if len(usual) < 5 || c.from < 5 || c.from > b.a.days-5 {
		return 0, 0
	}
	before, after := daily[max(c.from-14, 0):c.from], daily[c.from:min(c.from+14, b.a.days)]
	noise := math.Hypot(robust.MAD(before), robust.MAD(after)) / math.Sqrt(float64(min(len(before), len(after)))/2)
	noise = math.Hypot(noise, robust.Quantile(usual, 0.8)-robust.Quantile(usual, 0.2)) + 0.02
	fall = change(c.from)
	if !(fall > minMoved*c.kw) {
		return fall, 0
	}
	like := func(mean, spread float64) float64 {
		return -(fall-mean)*(fall-mean)/(2*spread*spread) - math.Log(spread)
	}
	return fall, min(like(c.kw, math.Hypot(noise, 0.25*c.kw))-like(0, noise), maxMoved)
}
