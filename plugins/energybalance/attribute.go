package energybalance

import (
	"cmp"
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/balance"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Who can be behind energy that is missing, before looking: each member alike,
// and nobody of them (a tap, or a customer who is in no record).
const (
	someoneLater = 0.6  // of what begins within the window
	someoneFirst = 0.35 // of what is there from the first day: customers whom nobody recorded are among it
	fractionOf   = 0.45 // of members who steal: the meter leaves out a portion
	movedOf      = 0.4  // … a part of the load is moved to before the meter
	newOf        = 0.15 // … a load is put there that was never metered
	maxFollows   = 10.0 // log-odds that any one kind of evidence is worth
	worthNaming  = 0.2
	graceFirst   = 0.5
	graceLater   = 3.0
)

// suspicion is what the balance says of one member.
type suspicion struct {
	member   int
	p        float64 // that it is behind the missing energy
	bypass   bool    // rather fed around the meter than left out by it
	evidence []sdk.Evidence
}

// attribution says who may be behind one anomaly.
type attribution struct {
	suspects []suspicion // likeliest first
	someone  float64     // that it is one of the members at all
	flat     bool        // as good as constant, hour by hour
}

// weighed collects the evidence about one member.
type weighed struct {
	follows  float64 // log-likelihood of a portion of its load over a load of nobody
	own      float64 // … of following its own departures from its usual day, over not doing so
	partly   float64 // … in part, as a load that was moved does
	capped   float64 // … of being there when its meter shows its most
	moved    float64 // … of its own reading having fallen as the missing energy rose
	dark     float64 // … of going dark together
	hits     int
	slope    float64
	portion  float64
	fall     float64
	hasMoved bool
}

// attribute weighs each member against nobody for anomaly k.
func (b *account) attribute(k int, fine *balance.Area, fineResidual []float64) attribution {
	c := &b.anomalies[k]
	others := append([]balance.Term(nil), b.base...)
	for i := range b.anomalies {
		if i != k {
			others = append(others, b.anomalies[i].terms...)
		}
	}
	plain := balance.Explain(b.a, b.y, others, nil)
	one := b.since(b.ones(), c.from)
	stranger := append([]balance.Term{{Name: "constant", X: one, Spread: loadShare*b.meanInput + 0.3}},
		balance.Rhythm(b.a, c.from, 0.5*loadShare*b.meanInput+0.15, 24)...)
	nobody, _ := plain.Together(stranger)
	still, _ := plain.Together(stranger[:1])
	nobody = max(nobody, still)
	// What a stranger's day leaves behind because its prior held it back would
	// follow others of the same trade: no prior holds it here.
	free := append([]balance.Term{stranger[0]}, balance.Rhythm(b.a, c.from, 4*c.kw+b.meanInput, 24)...)
	apart := balance.Explain(b.a, b.y, append(others, free...), plain)
	missing := b.share(k)
	for t, r := range b.model.Residual {
		missing[t] += r
	}
	out := attribution{flat: b.flat(c, missing)}
	all := make([]weighed, len(b.a.Members))
	for m := range all {
		all[m] = b.weigh(c, m, plain, apart, nobody, missing)
	}
	if out.flat {
		b.pointers(fine, c, fineResidual, all)
	}
	out.compare(b, c, all)
	return out
}

// weigh collects what the data say of one member.
func (b *account) weigh(c *anomaly, m int, plain, apart *balance.Model, nobody float64, missing []float64) weighed {
	kw := b.a.Members[m].KW
	after := robust.Mean(kw[c.from*b.a.PerDay:])
	var w weighed
	if after > 0.01 && c.kw > 0 {
		expected := c.kw / after
		w.portion = expected
		days := []int{c.from}
		e := plain.Since(kw, days)[0]
		hours, _ := plain.Together(b.blocks(kw, c.from))
		w.follows = max(e.Gain(0.8, 1), hours-1) - nobody
		d := apart.ByDay(kw, c.from)
		w.slope = d.Size
		w.own = bound(follows(d, expected, expected, 0.3*expected+0.05), maxFollows)
		w.partly = bound(follows(d, 0.5*expected, expected, 0.4*expected+0.05), maxFollows)
		if most, ok := b.atMost(kw, c.from); ok {
			gain, _ := plain.Together([]balance.Term{{Name: "capped", X: most, Spread: 3 * c.kw}})
			w.capped = bound(gain-nobody, maxFollows)
		}
	}
	if c.stepped() {
		w.fall, w.moved, w.hasMoved = b.moved(c, m, missing)
	}
	return w
}

// follows weighs a slope about the expected one against one about none, which
// strangers may have as much off. Beyond most it fits less and less: twice as
// much is something else that moves with this member, and speaks for nobody.
func follows(e balance.Estimate, expected, most, spread float64) float64 {
	if !e.Known() {
		return 0
	}
	size, v := e.Size, e.Err*e.Err+spread*spread
	over := size > most
	if over {
		size = most - (size-most)/2
	}
	gain := (size*size - (size-expected)*(size-expected)) / (2 * v)
	if over {
		return max(gain, 0)
	}
	return gain
}

func bound(v, limit float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return min(max(v, -limit), limit)
}

// blocks are a member's load in each quarter of the day: a portion that
// differs with the hour.
func (b *account) blocks(kw []float64, from int) []balance.Term {
	quarters := min(b.a.PerDay, 4)
	out := make([]balance.Term, quarters)
	for q := range out {
		x := make([]float64, len(kw))
		for t := from * b.a.PerDay; t < len(x); t++ {
			if t%b.a.PerDay*quarters/b.a.PerDay == q {
				x[t] = kw[t]
			}
		}
		out[q] = balance.Term{Name: "portion", X: x, Expect: 0.5, Spread: 1.2}
	}
	return out
}

// atMost marks the intervals in which the meter shows its most: where a limit
// cuts a load, what is above it is on another wire. A meter that is at its
// most for a moment only has no such limit.
func (b *account) atMost(kw []float64, from int) ([]float64, bool) {
	tail := kw[from*b.a.PerDay:]
	limit := robust.Quantile(tail, 0.995)
	x := make([]float64, len(kw))
	n := 0
	for t := from * b.a.PerDay; t < len(kw); t++ {
		if kw[t] >= 0.97*limit {
			x[t] = 1
			n++
		}
	}
	share := float64(n) / float64(max(len(tail), 1))
	return x, share > 0.04 && share < 0.9
}

// flat reports whether what is missing is as good as constant, hour by hour.
func (b *account) flat(c *anomaly, missing []float64) bool {
	if b.a.PerDay == 1 || c.kw <= 0 {
		return false
	}
	profile := make([]float64, b.a.PerDay)
	var v []float64
	for h := range profile {
		v = v[:0]
		for d := c.from; d < b.a.Days; d++ {
			v = append(v, missing[d*b.a.PerDay+h])
		}
		profile[h] = robust.Median(v)
	}
	return robust.Quantile(profile, 0.9)-robust.Quantile(profile, 0.1) < 0.4*c.kw
}

// compare turns the evidence into probabilities: of each member and of nobody.
func (out *attribution) compare(b *account, c *anomaly, all []weighed) {
	prior := someoneFirst
	if c.stepped() {
		prior = someoneLater
	}
	each := prior / float64(max(len(all), 1))
	fraction, bypass := make([]float64, len(all)), make([]float64, len(all))
	total := 1 - prior
	for m := range all {
		w := &all[m]
		sure := 1 - b.a.Members[m].Doubt
		// What follows the hours of a trade follows all who share them: without
		// the customer's own departures that counts for little, and for less where
		// no beginning can bear witness.
		grace := graceFirst
		if c.stepped() {
			grace = graceLater
		}
		follows := min(bound(w.follows, maxFollows), w.own+grace)
		fraction[m] = sure * each * fractionOf * math.Exp(follows+w.moved)
		bypass[m] = sure * each * (movedOf*math.Exp(max(w.partly, w.capped, -2)/2+w.moved) + newOf*math.Exp(w.dark))
		total += fraction[m] + bypass[m]
	}
	for m := range all {
		p := (fraction[m] + bypass[m]) / total
		if d := b.a.Members[m].Doubt; d > 0.1 {
			p *= 1 - d // whoever hangs elsewhere takes nothing here, whatever the curves say
		}
		out.someone += p
		if p < 0.02 {
			continue
		}
		s := suspicion{member: m, p: p, bypass: bypass[m] > fraction[m]}
		s.evidence = b.evidence(c, m, &all[m])
		out.suspects = append(out.suspects, s)
	}
	slices.SortStableFunc(out.suspects, func(x, y suspicion) int {
		return cmp.Or(cmp.Compare(y.p, x.p), cmp.Compare(x.member, y.member))
	})
}
