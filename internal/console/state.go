package console

import (
	"context"
	"sort"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/internal/grid"
)

// state is one consistent look at what is live.
type state struct {
	now       time.Time
	loc       *time.Location
	limits    Limits
	network   *grid.Network
	result    *index
	resultErr error

	loading    map[string]Loading // nil: not set up
	loadingErr error
	devices    []deviceState // nil: not set up
	plugins    []Plugin
	historian  historianState
	backlog    int64 // -1: unknown
	backlogErr error
}

type historianState struct {
	configured bool
	short      string // "writing", "not set up"
	err        error
}

// historianTTL is for how long a historian's answer holds: asking may mean a
// request over the network.
const historianTTL = 5 * time.Second

type historianCache struct {
	mu   sync.Mutex
	last historianState
	read time.Time
}

func (h *historianCache) look(source Historian) historianState {
	if source == nil {
		return historianState{short: "not set up"}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.read.IsZero() && time.Since(h.read) < historianTTL {
		return h.last
	}
	text, err := source.State()
	h.last, h.read = historianState{configured: true, short: text, err: err}, time.Now()
	if err != nil && text == "" {
		h.last.short = "failing"
	}
	return h.last
}

// heldState is the state of one request, taken when it is first asked for: the
// frame and the body of a page must not disagree.
type heldState struct {
	once  sync.Once
	state *state
}

type stateKey struct{}

// state is what is live as of this request.
func (c *console) state(ctx context.Context) *state {
	held, ok := ctx.Value(stateKey{}).(*heldState)
	if !ok {
		return c.look(ctx)
	}
	held.once.Do(func() { held.state = c.look(ctx) })
	return held.state
}

// look takes the state anew.
func (c *console) look(ctx context.Context) *state {
	s := &state{now: c.cfg.Clock(), loc: c.cfg.Site.Location, limits: c.cfg.Limits, network: c.cfg.Network(), backlog: -1}
	s.result, s.resultErr = c.results.latest(ctx)
	if c.cfg.Loading != nil {
		s.loading, s.loadingErr = c.cfg.Loading(ctx)
		if s.loading == nil {
			s.loading = map[string]Loading{}
		}
	}
	if c.cfg.Devices != nil {
		list := c.cfg.Devices()
		s.devices = make([]deviceState, len(list))
		for i := range list {
			s.devices[i] = judge(list[i], s.now)
		}
	}
	if c.cfg.Plugins != nil {
		s.plugins = c.cfg.Plugins()
	}
	s.historian = c.historian.look(c.cfg.Historian)
	if c.cfg.Backlog != nil {
		s.backlog, s.backlogErr = c.cfg.Backlog(ctx)
		if s.backlogErr != nil {
			s.backlog = -1
		}
	}
	return s
}

// alarm is something abnormal that needs an operator or the program's keeper now.
type alarm struct {
	Priority int // 1 urgent, 2 high, 3 low, 4 diagnostic
	Word     string
	What     string
	Why      string
	Href     string
}

func (s *state) hotSpotLimit(l Loading) float64 {
	if l.HotSpotLimitC > 0 {
		return l.HotSpotLimitC
	}
	return s.limits.HotSpotC
}

// fresh reports whether a live loading is recent enough to be acted on.
func (s *state) fresh(l Loading) bool { return !l.At.IsZero() && s.now.Sub(l.At) <= 2*time.Minute }

// alarms lists what is abnormal now, most pressing first.
func (s *state) alarms() []alarm {
	out := s.transformerAlarms()
	out = append(out, s.deviceAlarms()...)
	if s.historian.configured && s.historian.err != nil {
		out = append(out, alarm{Priority: 3, What: "Historian does not take telemetry", Why: clip(s.historian.err.Error(), 160) + ". Readings wait in the stream.", Href: "/devices"})
	}
	for _, p := range s.plugins {
		if p.Error != "" {
			out = append(out, alarm{Priority: 3, What: "Detector " + p.Name + " is " + orElse(p.State, "failing"), Why: clip(p.Error, 160), Href: "/plugins"})
		}
	}
	words := map[int]string{1: "Urgent", 2: "High", 3: "Low", 4: "Diagnostic"}
	for i := range out {
		out[i].Word = words[out[i].Priority]
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Priority < out[j].Priority })
	return out
}

func (s *state) transformerAlarms() []alarm {
	if s.network == nil {
		return nil
	}
	var out []alarm
	for i := range s.network.Transformers {
		t := &s.network.Transformers[i]
		l, ok := s.loading[t.ID]
		if !ok || !s.fresh(l) {
			continue
		}
		pct, limit := loadPct(l, t.RatedKVA), s.hotSpotLimit(l)
		switch {
		case known(l.HotSpotC) && l.HotSpotC > limit:
			why := "Above " + withUnit(whole(limit), "°C") + "."
			if known(pct) {
				why = "Above " + withUnit(whole(limit), "°C") + ", load " + withUnit(whole(pct), "%") + ". Transfer or shed load."
			}
			out = append(out, alarm{Priority: 1, What: t.ID + " hot-spot " + withUnit(whole(l.HotSpotC), "°C"), Why: why, Href: href("transformers", t.ID)})
		case known(pct) && pct > s.limits.LoadPct:
			out = append(out, alarm{Priority: 2, What: t.ID + " load " + withUnit(whole(pct), "%"),
				Why: "Above " + withUnit(whole(s.limits.LoadPct), "%") + " of its rating, " + withUnit(whole(t.RatedKVA), "kVA") + ".", Href: href("transformers", t.ID)})
		}
	}
	return out
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
