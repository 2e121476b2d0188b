package accuracy

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/sim"
)

// Told is a planted story of a district and what was said of it.
type Told struct {
	sim.Planted
	Rank     int // by risk, then by id; 0 for a transformer's story
	Risk     float64
	Reasons  []string
	Verdicts []string // of the transformer
	Suspects []string
	Right    bool // what was expected came: rank 15 or better, below the case threshold, the verdict
}

// Fired counts the findings of a detector in districts.
type Fired struct{ Planted, Innocent, Transformers int }

// District is a simulated district that was judged on the last day of each of
// its months, as a nightly run would.
type District struct {
	Seed    int64
	Stories []Told
	Months  Months           // of the innocent, of whom those planted to be cleared are some
	Fired   map[string]Fired // by detector, on the last day
}

// mostRank is the rank that a planted customer must reach.
const mostRank = 15

// JudgeDistrict simulates, exports and scans a district.
func JudgeDistrict(ctx context.Context, seed int64, until curve.Date, months int, prior, threshold float64) (*District, error) {
	d, err := sim.New(sim.Config{Seed: seed, Until: until, Days: months * monthDays})
	if err != nil {
		return nil, fmt.Errorf("district %d: %w", seed, err)
	}
	dir, err := os.MkdirTemp("", "gridwarden-district-")
	if err != nil {
		return nil, fmt.Errorf("folder for the district: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := d.Export(ctx, dir, nil); err != nil {
		return nil, fmt.Errorf("district %d: %w", seed, err)
	}
	guilty := map[string]bool{}
	for _, p := range d.Truth() {
		if p.Expect == sim.ExpectFlag {
			guilty[p.UsagePointID] = true
		}
	}
	out := &District{Seed: seed, Fired: map[string]Fired{}}
	for month := 1; month <= months; month++ {
		r, err := ScanExport(ctx, dir, lastOf(d.First(), month), prior)
		if err != nil {
			return nil, fmt.Errorf("district %d: %w", seed, err)
		}
		for i := range r.UsagePoints {
			a := &r.UsagePoints[i]
			if guilty[a.UsagePointID] {
				continue
			}
			out.Months.Judged++
			if a.Risk >= threshold {
				out.Months.Above = append(out.Months.Above, Accused{a.UsagePointID, month, a.Risk, a.Reasons})
			}
		}
		if month == months {
			out.tell(d.Truth(), r, threshold)
			out.count(r, guilty)
		}
	}
	return out, nil
}

// tell looks up what was said of each story.
func (d *District) tell(truth []sim.Planted, r *detect.Result, threshold float64) {
	points := slices.Clone(r.UsagePoints)
	slices.SortFunc(points, func(a, b detect.Assessment) int {
		return cmp.Or(cmp.Compare(b.Risk, a.Risk), cmp.Compare(a.UsagePointID, b.UsagePointID))
	})
	for _, p := range truth {
		t := Told{Planted: p}
		for i := range points {
			if a := &points[i]; p.UsagePointID != "" && a.UsagePointID == p.UsagePointID {
				t.Rank, t.Risk, t.Reasons = i+1, a.Risk, a.Reasons
			}
		}
		for i := range r.Transformers {
			if x := &r.Transformers[i]; x.TransformerID == p.TransformerID {
				t.Verdicts, t.Suspects = x.Verdicts, x.Suspects
			}
		}
		switch p.Expect {
		case sim.ExpectFlag:
			t.Right = t.Rank > 0 && t.Rank <= mostRank
		case sim.ExpectClear:
			t.Right = t.Risk < threshold
		default:
			t.Right = slices.Contains(t.Verdicts, p.Verdict)
		}
		d.Stories = append(d.Stories, t)
	}
}

// count counts findings by detector.
func (d *District) count(r *detect.Result, guilty map[string]bool) {
	for i := range r.UsagePoints {
		a := &r.UsagePoints[i]
		for _, name := range a.Detectors {
			f := d.Fired[name]
			if guilty[a.UsagePointID] {
				f.Planted++
			} else {
				f.Innocent++
			}
			d.Fired[name] = f
		}
	}
	for i := range r.Transformers {
		names := map[string]bool{}
		for _, f := range r.Transformers[i].Findings {
			names[f.Stamp.Detector] = true
		}
		for name := range names {
			f := d.Fired[name]
			f.Transformers++
			d.Fired[name] = f
		}
	}
}
