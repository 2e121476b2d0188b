package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/sim"
)

// flagRank is the position by risk within which a planted customer that is to
// be flagged must be found.
const flagRank = 15

// demoDocument is what `demo --exit --json` prints.
type demoDocument struct {
	Seed      int64           `json:"seed"`
	Queue     []queueRow      `json:"queue"`
	Planted   []plantedRow    `json:"planted"`
	Missed    []plantedRow    `json:"missed"`
	Innocent  []string        `json:"innocent_above_threshold"`
	Polls     map[string]poll `json:"polls"`
	Readings  uint64          `json:"readings"`
	Historian demoHistorian   `json:"historian"`
	Plugins   []demoPlugin    `json:"plugins"`
	Seconds   demoSeconds     `json:"seconds"`
}

type queueRow struct {
	Rank         int      `json:"rank"`
	UsagePointID string   `json:"usage_point_id"`
	CustomerID   string   `json:"customer_id"`
	Risk         float64  `json:"risk"`
	Priority     float64  `json:"priority"`
	Reasons      []string `json:"reasons"`
	Story        *string  `json:"story"`
}

type plantedRow struct {
	Story         string  `json:"story"`
	UsagePointID  *string `json:"usage_point_id"`
	TransformerID *string `json:"transformer_id"`
	Expect        string  `json:"expect"`
	FoundRank     *int    `json:"found_rank"`
}

// poll counts one driver's turns over the minute.
type poll struct {
	Due    uint64 `json:"due"`
	OK     uint64 `json:"ok"`
	Failed uint64 `json:"failed"`
	Missed uint64 `json:"missed"`
}

type demoHistorian struct {
	State   string `json:"state"`
	Backlog int64  `json:"backlog"`
	Points  *int64 `json:"points"`
}

type demoPlugin struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	BuiltIn bool   `json:"built_in"`
	SHA256  string `json:"sha256"`
	PID     int    `json:"pid"`
	Runs    int    `json:"runs"`
}

type demoSeconds struct {
	Simulate float64 `json:"simulate"`
	Import   float64 `json:"import"`
	Features float64 `json:"features"` // within import, added up over its workers
	Detect   float64 `json:"detect"`
	Total    float64 `json:"total"` // until the first ranked queue
}

func since(t time.Time) float64 { return time.Since(t).Seconds() }

func writeJSON(w io.Writer, doc any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

// minute polls live for a minute and draws the demo's document up.
func (d *demo) minute(ctx context.Context) (*demoDocument, error) {
	d.status.step("polling %d devices live for %v", len(d.server.Devices()), liveMinute)
	mark := d.host.MarkPolls()
	from := time.Now()
	select {
	case <-time.After(liveMinute):
	case <-ctx.Done():
		return nil, fmt.Errorf("live minute: %w", ctx.Err())
	}
	totals := d.host.PollsSince(mark)
	doc := &demoDocument{Seed: d.flags.seed, Polls: make(map[string]poll, len(totals)), Innocent: []string{}, Missed: []plantedRow{}}
	for driver, t := range totals {
		doc.Polls[driver] = poll{Due: t.Due, OK: t.OK, Failed: t.Failed, Missed: t.Missed}
		doc.Readings += t.Readings
	}
	d.status.done("%d readings", doc.Readings)
	var err error
	if doc.Historian, err = d.historian(ctx, from); err != nil {
		return nil, err
	}
	for _, p := range d.host.Plugins() {
		doc.Plugins = append(doc.Plugins, demoPlugin{p.Name, p.Version, p.BuiltIn, p.SHA256, p.PID, p.Runs})
	}
	d.judge(doc)
	doc.Seconds = d.seconds
	return doc, nil
}

// The last readings of the minute take a moment to arrive: they are counted
// until the count stands still, for at most drainLimit.
const (
	drainLimit = 10 * time.Second
	drainCheck = 500 * time.Millisecond
)

// historian says how the historian does, with the points of the minute
// counted back by a query.
func (d *demo) historian(ctx context.Context, from time.Time) (out demoHistorian, err error) {
	to := time.Now()
	counted := int64(-1)
	for deadline := to.Add(drainLimit); ; {
		points, ok, err := d.host.CountPoints(ctx, from, to)
		if err != nil {
			return out, err
		}
		if ok {
			out.Points = &points
		}
		if !ok || points == counted || time.Now().After(deadline) {
			break
		}
		counted = points
		select {
		case <-time.After(drainCheck):
		case <-ctx.Done():
			return out, fmt.Errorf("historian: %w", ctx.Err())
		}
	}
	if out.Backlog, err = d.host.Backlog(ctx); err != nil {
		return out, err
	}
	state, stateErr := d.host.HistorianState()
	out.State = state
	if stateErr != nil {
		out.State = state + ": " + stateErr.Error()
	}
	return out, nil
}

// judge compares the result with the planted truth.
func (d *demo) judge(doc *demoDocument) {
	truth := d.district.Truth()
	stories := make(map[string]string)
	flagged := make(map[string]bool)
	for _, p := range truth {
		if p.UsagePointID != "" {
			stories[p.UsagePointID] = p.Story
			flagged[p.UsagePointID] = p.Expect == sim.ExpectFlag
		}
	}
	byRisk := slices.Clone(d.result.UsagePoints)
	slices.SortFunc(byRisk, func(a, b detect.Assessment) int {
		return cmp.Or(cmp.Compare(b.Risk, a.Risk), cmp.Compare(a.UsagePointID, b.UsagePointID))
	})
	rank := make(map[string]int, len(byRisk))
	risk := make(map[string]float64, len(byRisk))
	threshold := config.Default().Cases.Threshold
	for i, a := range byRisk {
		rank[a.UsagePointID], risk[a.UsagePointID] = i+1, a.Risk
		if a.Risk >= threshold && !flagged[a.UsagePointID] {
			doc.Innocent = append(doc.Innocent, a.UsagePointID)
		}
	}
	doc.Queue = []queueRow{}
	for _, a := range d.result.UsagePoints {
		if a.Rank == 0 {
			break
		}
		row := queueRow{a.Rank, a.UsagePointID, a.CustomerID, a.Risk, a.Priority, a.Reasons, nil}
		if story, ok := stories[a.UsagePointID]; ok {
			row.Story = &story
		}
		doc.Queue = append(doc.Queue, row)
	}
	verdicts := make(map[string][]string)
	for _, t := range d.result.Transformers {
		verdicts[t.TransformerID] = t.Verdicts
	}
	for _, p := range truth {
		row := plantedRow{Story: p.Story, Expect: p.Expect}
		if p.UsagePointID != "" {
			id, found := p.UsagePointID, rank[p.UsagePointID]
			row.UsagePointID, row.FoundRank = &id, &found
		}
		if p.TransformerID != "" {
			id := p.TransformerID
			row.TransformerID = &id
		}
		doc.Planted = append(doc.Planted, row)
		missed := false
		switch p.Expect {
		case sim.ExpectFlag:
			missed = row.FoundRank == nil || *row.FoundRank > flagRank
		case sim.ExpectClear:
			missed = risk[p.UsagePointID] >= threshold
		case sim.ExpectTransformer:
			missed = !slices.Contains(verdicts[p.TransformerID], p.Verdict)
		}
		if missed {
			doc.Missed = append(doc.Missed, row)
		}
	}
}

// print shows the document to a person.
func (d *demo) print(doc *demoDocument) {
	printQueue(d.stdout, d.result, shownRows)
	fmt.Fprintf(d.stdout, "\nPlanted %d, missed %d; innocent above the threshold: %d\n", len(doc.Planted), len(doc.Missed), len(doc.Innocent))
	for _, m := range doc.Missed {
		fmt.Fprintf(d.stdout, "  missed: %s\n", m.Story)
	}
	for driver, p := range doc.Polls {
		fmt.Fprintf(d.stdout, "Polls over %s: %d due, %d ok, %d failed, %d missed\n", driver, p.Due, p.OK, p.Failed, p.Missed)
	}
	fmt.Fprintf(d.stdout, "Readings in the minute: %d\nHistorian: %s, backlog %d", doc.Readings, doc.Historian.State, doc.Historian.Backlog)
	if doc.Historian.Points != nil {
		fmt.Fprintf(d.stdout, ", %d points counted back", *doc.Historian.Points)
	}
	fmt.Fprintf(d.stdout, "\nSeconds: simulate %.1f, import %.1f, detect %.1f, first queue %.1f\n",
		doc.Seconds.Simulate, doc.Seconds.Import, doc.Seconds.Detect, doc.Seconds.Total)
}
