package modbus

import "time"

// governor decides how many requests may be under way at a gateway. Where
// the number is left open it begins with one, tries one more while units have
// to wait, keeps what earned more answers, and goes down when the gateway
// misbehaves under load: refuses or cuts connections, answers that it is busy,
// or falls silent. It knows no clock: the caller says what time it is.
type governor struct {
	floor, ceiling int // 1 ≤ floor ≤ ceiling
	limit          int

	began    time.Time // of the period that is being counted
	answers  int
	waited   bool    // somebody has waited through the whole period
	rate     float64 // answers a second at the limit before, while one more is on trial
	trial    bool
	earliest time.Time // of the next trial
	pause    time.Duration
}

const (
	// period is how long answers are counted before the number is changed.
	period = time.Second
	// worth is how many times more answers one more request must bring to be
	// kept. A serial bus gains a little, by not waiting for the network.
	worth = 1.02
	// firstPause and longestPause bound how long a number that failed is not
	// tried again.
	firstPause   = 30 * time.Second
	longestPause = 30 * time.Minute
)

func newGovernor(floor, ceiling int) governor {
	return governor{floor: floor, ceiling: max(floor, ceiling), limit: floor, pause: firstPause}
}

// answered counts one answer. waiting tells whether others wait for a turn.
func (g *governor) answered(now time.Time, waiting bool) {
	if g.began.IsZero() {
		g.begin(now, waiting)
	}
	g.answers++
	g.waited = g.waited && waiting
	span := now.Sub(g.began)
	if span < period {
		return
	}
	rate := float64(g.answers) / span.Seconds()
	switch {
	case g.trial && g.waited && rate < worth*g.rate:
		g.retreat(now)
	case g.waited && g.limit < g.ceiling && !now.Before(g.earliest):
		g.rate, g.trial = rate, true
		g.limit++
	default:
		g.trial = false
	}
	g.begin(now, waiting)
}

func (g *governor) begin(now time.Time, waiting bool) { g.began, g.answers, g.waited = now, 0, waiting }

// retreat gives up the last request more, and leaves it at that for a while.
func (g *governor) retreat(now time.Time) {
	g.limit = max(g.floor, g.limit-1)
	g.trial = false
	g.earliest = now.Add(g.pause)
	g.pause = min(2*g.pause, longestPause)
}

// trouble says that the gateway misbehaved with several requests under way.
// Even a configured number is given up then.
func (g *governor) trouble(now time.Time) {
	if g.limit == 1 {
		return
	}
	g.limit = max(1, g.limit/2)
	g.floor = min(g.floor, g.limit)
	g.trial = false
	g.earliest = now.Add(g.pause)
	g.pause = min(2*g.pause, longestPause)
	g.begin(now, false)
}
