package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// mostInnocents is the share of innocent customer-months above the threshold
// that the limits allow.
const mostInnocents = .001

// months counts untouched customer-months above the case threshold.
func (b *bench) months(ctx context.Context) error {
	hosts, whose := b.source.hosts, fmt.Sprintf("the %s part", b.o.part)
	s := b.report.section("Untouched customer-months")
	s.say("A customer-month is 30 days of a customer's data to whom nothing was added. It is judged as a nightly run on its last day would, with all the history until then; and, harder, by these 30 days alone.")
	var rows [][]string
	for _, alone := range []bool{false, true} {
		name := "with the history until then"
		if alone {
			name = "alone"
		}
		m, err := accuracy.JudgeMonths(ctx, hosts, b.o.prior, b.threshold, alone, func(month int) { b.progress("untouched months, %s: month %d", name, month) })
		if err != nil {
			return err
		}
		v := accuracy.ShareInterval(len(m.Above), m.Judged)
		rows = append(rows, []string{name, fmt.Sprint(m.Judged), fmt.Sprint(len(m.Above)), figure(v)})
		for _, a := range m.Above {
			rows = append(rows, []string{fmt.Sprintf("· %s, month %d: %s", a.Host, a.Month, strings.Join(a.Reasons, ", ")), "", "", fmt.Sprintf("%.3f", a.Risk)})
		}
		b.report.atMost("innocent customer-months above the threshold, hosts, "+name, v, mostInnocents, fmt.Sprintf("%d of %d of %s", len(m.Above), m.Judged, whose))
	}
	s.table([]string{"judged", "customer-months", "above", "share"}, rows)
	return nil
}
