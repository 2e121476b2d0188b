package probe

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Verdict says how far a candidate can be trusted.
type Verdict string

// Verdicts, best first.
const (
	Identified Verdict = "identified" // the device says so itself, and its values are possible
	Plausible  Verdict = "plausible"  // several independent checks passed that chance does not pass
	Weak       Verdict = "weak"       // nothing speaks against it, and little for it
	None       Verdict = "none"       // it does not fit
)

// What a verdict asks for, in points and in checks that chance does not pass.
const (
	plausiblePoints = 50
	plausibleStrong = 3
	weakPoints      = 10
)

func (v Verdict) rank() int {
	return slices.Index([]Verdict{None, Weak, Plausible, Identified}, v)
}

// judge gives the verdict that the checks so far allow.
func (c *Candidate) judge() {
	switch {
	case c.answered == 0 || !c.speaks || c.Score < weakPoints:
		c.Verdict = None
	case c.recognised && c.strange == 0:
		c.Verdict = Identified
	case c.strange == 0 && c.strong >= plausibleStrong && c.Score >= plausiblePoints:
		c.Verdict = Plausible
	case c.strange == 0 || c.recognised || c.strange == 1 && c.strong >= plausibleStrong:
		c.Verdict = Weak
	default:
		c.Verdict = None
	}
}

// rank sorts candidates, the best first.
func rank(list []*Candidate) {
	for _, c := range list {
		c.judge()
	}
	slices.SortStableFunc(list, func(a, b *Candidate) int {
		return cmp.Or(cmp.Compare(b.Verdict.rank(), a.Verdict.rank()), cmp.Compare(b.Score, a.Score),
			cmp.Compare(len(b.good), len(a.good)), cmp.Compare(a.Profile, b.Profile))
	})
}

// close reports whether the points of b are too near those of the best to tell
// the two apart.
func (c *Candidate) close(b *Candidate) bool {
	return b.Verdict == c.Verdict && b.Score >= c.Score-0.15*math.Abs(c.Score)
}

// alike reports whether two candidates read the same values, by what they both
// measure.
func (c *Candidate) alike(b *Candidate) bool {
	common, same := 0, true
	for q, v := range c.good {
		if other, ok := b.good[q]; ok {
			common++
			same = same && math.Abs(v-other) <= 1e-6*math.Max(math.Abs(v), math.Abs(other))
		}
	}
	return same && common > 0
}

// conclude writes what the ranking means.
func (r *Report) conclude() {
	if len(r.Candidates) == 0 || r.Candidates[0].Verdict == None {
		r.Conclusion = "None of the profiles fits this device. Name its maker and model, and write a profile from its manual (drivers/profile/README.md)."
		return
	}
	best := r.Candidates[0]
	r.compare(best)
	others := append(slices.Clone(r.Equivalent), r.Rivals...)
	switch {
	case best.Verdict == Weak && len(others) > 0:
		r.Conclusion = fmt.Sprintf("Nothing fits well. %s is the nearest, and no better than %s; take one only if its values agree with the device's display.", best.Name(), join(others))
	case best.Verdict == Weak:
		r.Conclusion = fmt.Sprintf("Nothing fits well. %s is the nearest; take it only if its values agree with the device's display.", best.Name())
	case len(r.Rivals) > 0:
		r.Conclusion = fmt.Sprintf("The result is ambiguous: %s is no better than %s. Compare the values with the device's display before you take one.", best.Name(), join(r.Rivals))
	case len(r.Equivalent) > 0:
		r.Proposal = best
		r.Conclusion = fmt.Sprintf("%s fits. %s would read the same values here; take the one that names your device.", best.Name(), join(r.Equivalent))
	default:
		r.Proposal = best
		r.Conclusion = best.Name() + " fits."
	}
	if r.Proposal != nil && len(r.Orders) > 0 {
		r.Conclusion += fmt.Sprintf(" The order %s fits as well; only values of few registers tell them apart, so compare those with the device's display: %s.",
			join(r.Orders), join(best.apart(r.Candidates)))
	}
}

// compare sorts the candidates that are as good as the best: those that read
// the same, those that are the same but for the order of words, and rivals.
// An order that is not the file's is believed where the file's does not fit.
func (r *Report) compare(best *Candidate) {
	settled := []string{best.Profile}
	for _, c := range r.Candidates[1:] {
		if c.Verdict == None || !best.close(c) {
			continue
		}
		switch same := best.alike(c); {
		case slices.Contains(settled, c.Profile) && (same || !c.ordered() && best.ordered()):
			if !same && c.Profile == best.Profile {
				r.Orders = append(r.Orders, string(c.Order))
			}
		case same:
			settled = append(settled, c.Profile)
			r.Equivalent = append(r.Equivalent, c.Name())
		default:
			r.Rivals = append(r.Rivals, c.Name())
		}
	}
}

// apart lists the quantities by which the other orders of the same profile
// differ.
func (c *Candidate) apart(list []*Candidate) []string {
	var out []string
	for _, v := range c.Values {
		for _, other := range list {
			mine, read := c.good[v.Quantity]
			if o, ok := other.good[v.Quantity]; other.Profile == c.Profile && c.close(other) && read && (!ok || o != mine) {
				out = append(out, string(v.Quantity))
				break
			}
		}
	}
	return out
}

// Name is the profile's name with what differs from it.
func (c *Candidate) Name() string {
	name := c.Profile
	if c.p.Modbus.Base != c.written.Modbus.Base {
		name += fmt.Sprintf(" at base %d", c.Base)
	}
	if c.Order != c.written.Modbus.Order {
		name += fmt.Sprintf(" with order %s", c.Order)
	}
	return name
}

// ordered reports whether the order is the one of the profile's file.
func (c *Candidate) ordered() bool { return c.Order == c.written.Modbus.Order }

// join lists names for a sentence, the first few of them.
func join(names []string) string {
	const most = 4
	if len(names) > most {
		return fmt.Sprintf("%s, and %d others", join2(names[:most]), len(names)-most)
	}
	return join2(names)
}

func join2(names []string) string {
	out := names[0]
	for i, n := range names[1:] {
		if i == len(names)-2 {
			out += " or " + n
		} else {
			out += ", " + n
		}
	}
	return out
}
