package main

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// limit is a figure with what it must reach.
type limit struct {
	name  string
	value accuracy.Interval
	least float64 // NaN for none
	most  float64
	note  string
}

func (l *limit) met() bool {
	v := l.value.Mean
	return !math.IsNaN(v) && !(v < l.least) && !(v > l.most)
}

func (r *report) atLeast(name string, v accuracy.Interval, least float64, note string) {
	r.limits = append(r.limits, limit{name, v, least, math.NaN(), note})
}

func (r *report) atMost(name string, v accuracy.Interval, most float64, note string) {
	r.limits = append(r.limits, limit{name, v, math.NaN(), most, note})
}

func (r *report) between(name string, v accuracy.Interval, least, most float64, note string) {
	r.limits = append(r.limits, limit{name, v, least, most, note})
}

// limitsSection puts the limits into a table and returns how many are missed.
func (r *report) limitsSection() (missed int) {
	var rows [][]string
	for i := range r.limits {
		l := &r.limits[i]
		want := fmt.Sprintf("%s to %s", short(l.least), short(l.most))
		switch {
		case math.IsNaN(l.most):
			want = "at least " + short(l.least)
		case math.IsNaN(l.least):
			want = "at most " + short(l.most)
		}
		verdict := "met"
		if !l.met() {
			verdict = "NOT MET"
			missed++
		}
		rows = append(rows, []string{l.name, figure(l.value), want, verdict, l.note})
	}
	s := section{title: "Limits"}
	s.table([]string{"figure", "measured [95 % interval]", "limit", "verdict", "over"}, rows)
	if missed == 0 {
		s.say("All %d limits are met.", len(r.limits))
	} else {
		s.say("%d of %d limits are missed.", missed, len(r.limits))
	}
	r.sections = append([]section{s}, r.sections...)
	return missed
}

func short(v float64) string {
	s := fmt.Sprintf("%.3f", v)
	for len(s) > 3 && s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	return s
}

// figure renders a value with its interval.
func figure(v accuracy.Interval) string {
	if math.IsNaN(v.Mean) {
		return "–"
	}
	if math.IsNaN(v.Low) {
		return fmt.Sprintf("%.3f", v.Mean)
	}
	return fmt.Sprintf("%.3f [%.3f, %.3f]", v.Mean, v.Low, v.High)
}

// share renders a count of successes.
func share(found, of int) string {
	if of == 0 {
		return "–"
	}
	v := accuracy.ShareInterval(found, of)
	return fmt.Sprintf("%.2f [%.2f, %.2f]", v.Mean, v.Low, v.High)
}
