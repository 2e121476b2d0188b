package accuracy

import (
	"context"
	"fmt"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// monthDays is the length of a customer-month.
const monthDays = 30

// Accused is an untouched customer whose risk reached the case threshold.
type Accused struct {
	Host    string
	Month   int // of the customer's data, from 1
	Risk    float64
	Reasons []string
}

// Months are the customer-months of loads that nobody touched.
type Months struct {
	Judged int
	Above  []Accused
}

// JudgeMonths judges every whole 30 days of every host as a nightly run on
// their last day would: with all the history until then or, alone, by these 30
// days and nothing else.
func JudgeMonths(ctx context.Context, hosts []Load, prior, threshold float64, alone bool, progress func(month int)) (*Months, error) {
	out := &Months{}
	for month := 1; ; month++ {
		var loads []Load
		for i := range hosts {
			h := &hosts[i]
			if h.Days < month*monthDays {
				continue
			}
			from, days := 0, month*monthDays
			if alone {
				from, days = (month-1)*monthDays, monthDays
			}
			l := h.Segment(from, days)
			l.ID, l.ContractedKVA = h.ID, contract(h)
			l.First = firstDay + (l.First-firstDay)%7 // the same days for all, of the same days of the week
			loads = append(loads, l)
		}
		if len(loads) == 0 {
			return out, nil
		}
		risks, result, err := JudgeLoads(ctx, loads, prior)
		if err != nil {
			return nil, fmt.Errorf("month %d: %w", month, err)
		}
		reasons := map[string][]string{}
		for i := range result.UsagePoints {
			reasons[result.UsagePoints[i].UsagePointID] = result.UsagePoints[i].Reasons
		}
		for i, risk := range risks {
			out.Judged++
			if risk >= threshold {
				out.Above = append(out.Above, Accused{loads[i].ID, month, risk, reasons[UsagePointID(i)]})
			}
		}
		if progress != nil {
			progress(month)
		}
	}
}

// lastOf is the last day of the nth month from first.
func lastOf(first curve.Date, month int) curve.Date {
	return first + curve.Date(month*monthDays) - 1
}
