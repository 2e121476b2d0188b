package risk

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
)

// Candidate is a usage point that the lot may fall on.
type Candidate struct {
	ID   string
	Risk float64
}

// Drawn is a point that the lot has chosen for inspection.
type Drawn struct {
	Candidate
	Band       int     // of risk, 0 is the lowest
	Propensity float64 // with which probability a point of the band was chosen, 0 … 1
}

// bandEdges part risks into bands, an order of magnitude in odds or so each.
var bandEdges = [...]float64{0.001, 0.01, 0.05, 0.2, 0.5}

// Bands is the number of bands of risk.
const Bands = len(bandEdges) + 1

// Band returns the band of a risk, and its bounds.
func Band(risk float64) (band int, low, high float64) {
	for band < len(bandEdges) && risk >= bandEdges[band] {
		band++
	}
	high = 1
	if band > 0 {
		low = bandEdges[band-1]
	}
	if band < len(bandEdges) {
		high = bandEdges[band]
	}
	return band, low, high
}

// Draw chooses n points by lot: half of them from all bands of risk alike, so
// that the rare ones are seen, half in proportion to the bands' sizes. Within
// a band every point has the same chance (simple random sampling without
// replacement), which is what its propensity says.
//
// The lot is the order of SHA-256 over seed and id: whoever knows the seed can
// draw again and see that nobody was favoured or picked. The same seed and
// candidates give the same draw, in whatever order they come.
func Draw(seed string, candidates []Candidate, n int) []Drawn {
	var bands [Bands][]Candidate
	for _, c := range candidates {
		b, _, _ := Band(c.Risk)
		bands[b] = append(bands[b], c)
	}
	n = min(max(n, 0), len(candidates))
	out := make([]Drawn, 0, n)
	for b, take := range allot(bands, len(candidates), n) {
		lot := make(map[string]uint64, len(bands[b]))
		for _, c := range bands[b] {
			sum := sha256.Sum256([]byte(seed + "\x00" + c.ID))
			lot[c.ID] = binary.BigEndian.Uint64(sum[:])
		}
		slices.SortFunc(bands[b], func(x, y Candidate) int {
			return cmp.Or(cmp.Compare(lot[x.ID], lot[y.ID]), cmp.Compare(x.ID, y.ID))
		})
		for _, c := range bands[b][:take] {
			out = append(out, Drawn{c, b, float64(take) / float64(len(bands[b]))})
		}
	}
	return out
}

// allot says how many points each band gives; together n.
func allot(bands [Bands][]Candidate, total, n int) [Bands]int {
	var take [Bands]int
	filled := 0
	for b := range bands {
		if len(bands[b]) > 0 {
			filled++
		}
	}
	if filled == 0 {
		return take
	}
	given := 0
	for b := range bands {
		size := float64(len(bands[b]))
		if size == 0 {
			continue
		}
		want := int(math.Floor(float64(n)/2/float64(filled) + float64(n)/2*size/float64(total)))
		take[b] = min(want, len(bands[b]))
		given += take[b]
	}
	for given < n { // what rounding and small bands left, one each from the highest down
		for b := Bands - 1; b >= 0 && given < n; b-- {
			if take[b] < len(bands[b]) {
				take[b]++
				given++
			}
		}
	}
	return take
}

// Rate is a share with its uncertainty.
type Rate struct {
	Share float64 `json:"share"`
	Low   float64 `json:"low"` // 95 % interval
	High  float64 `json:"high"`
	Of    int     `json:"of"`
}

// NewRate returns hits of n with Wilson's 95 % interval (Wilson 1927); without
// any n everything is possible.
func NewRate(hits, n int) Rate {
	if n == 0 {
		return Rate{Share: math.NaN(), Low: 0, High: 1}
	}
	const z = 1.959964
	p, k := float64(hits)/float64(n), float64(n)
	centre := (p + z*z/(2*k)) / (1 + z*z/k)
	half := z / (1 + z*z/k) * math.Sqrt(p*(1-p)/k+z*z/(4*k*k))
	return Rate{Share: p, Low: max(centre-half, 0), High: min(centre+half, 1), Of: n}
}

// Weighted is an inspected point of a draw.
type Weighted struct {
	Propensity float64
	Abnormal   bool
}

// Prevalence estimates the share of abnormal use among all points from those
// that the lot chose: Hájek's ratio of inverse propensities, with the linearised
// standard error (Särndal, Swensson and Wretman 1992, 5.7), as a 95 % interval.
func Prevalence(drawn []Weighted) Rate {
	sum, hits := 0.0, 0.0
	for _, d := range drawn {
		w := 1 / min(max(d.Propensity, 1e-6), 1)
		sum += w
		if d.Abnormal {
			hits += w
		}
	}
	if sum == 0 {
		return Rate{Share: math.NaN(), Low: 0, High: 1}
	}
	share, variance := hits/sum, 0.0
	for _, d := range drawn {
		w := 1 / min(max(d.Propensity, 1e-6), 1)
		y := 0.0
		if d.Abnormal {
			y = 1
		}
		variance += w * w * (y - share) * (y - share)
	}
	half := 1.959964 * math.Sqrt(variance) / sum
	// Where the lot met none, or all, the linearised error is none; what n
	// points without a hit exclude stands in for it.
	plain := NewRate(int(math.Round(share*float64(len(drawn)))), len(drawn))
	if share == 0 || share == 1 {
		return Rate{Share: share, Low: plain.Low, High: plain.High, Of: len(drawn)}
	}
	return Rate{Share: share, Low: max(share-half, 0), High: min(share+half, 1), Of: len(drawn)}
}
