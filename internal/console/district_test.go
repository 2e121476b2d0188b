package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// district is a small realistic district with everything the console reads, in memory.
type district struct {
	t       testing.TB
	mu      sync.Mutex // of result and loading, where a test changes them under an open page
	loc     *time.Location
	now     time.Time
	network *grid.Network
	curves  curve.Store
	result  *detect.Result
	cases   []Case
	loading map[string]Loading
	devices []Device
	plugins []Plugin
	backlog int64
	users   map[string]User
	hub     *Hub
}

const (
	districtDays = 60
	minerPoint   = "UP-20417"
	minerArea    = "T-1041"
	hotArea      = "T-1023"
	hostile      = `<script>alert("x")</script> & 'sons'`
)

func newDistrict(t testing.TB) *district {
	t.Helper()
	loc := time.FixedZone("CST", 8*3600)
	d := &district{t: t, loc: loc, now: time.Date(2026, 11, 24, 13, 48, 7, 0, loc), curves: curve.NewMemory(), hub: NewHub(),
		loading: map[string]Loading{}, users: map[string]User{"lin": {Name: "lin", DisplayName: "Lin Wei", Role: "case_officer"}}}
	d.build()
	return d
}

func (d *district) last() curve.Date { return curve.DateOf(d.now) - 1 }

// build lays out four feeders with ten transformers each and five usage points
// behind each transformer.
func (d *district) build() {
	rng := rand.New(rand.NewPCG(1, 2))
	var rec grid.Records
	ratings := []float64{400, 315, 630, 400, 200, 250, 160, 100, 500, 315}
	uses := []struct {
		code, text string
		category   grid.Category
	}{{"dwelling", "", grid.Residential}, {"dwelling", "", grid.Residential}, {"dwelling", "", grid.Residential}, {"shop", "Noodle shop", grid.Commercial}, {"dwelling", "", grid.Residential}}
	for f := range 4 {
		for k := range 10 {
			id := fmt.Sprintf("T-1%d%d%d", k/9, f+1, k%9+1)
			t := grid.PowerTransformer{ID: id, FeederID: fmt.Sprintf("F%d", f+1), SubstationID: "Shiqiao", RatedKVA: ratings[(k+f)%10], MeterID: "TM-" + id[2:],
				HVKV: 10, LVKV: 0.4, NoLoadLossW: 400, LoadLossW: 3200, ImpedancePct: 4, Cooling: "ONAN"}
			if id == minerArea {
				t.RatedKVA = 250
			}
			if id == hotArea {
				t.RatedKVA = 50
			}
			rec.Transformers = append(rec.Transformers, t)
			for u := range 5 {
				up := grid.UsagePoint{ID: fmt.Sprintf("UP-%s%d", id[2:], u), MeterID: fmt.Sprintf("M-%s%d", id[2:], u), CustomerID: fmt.Sprintf("C-%s%d", id[2:], u), TransformerID: id, Phase: grid.Phase("ABC"[u%3 : u%3+1])}
				use := uses[u]
				cust := grid.Customer{ID: up.CustomerID, Category: use.category, Class: grid.ClassResidential, DeclaredUse: use.code, DeclaredUseText: use.text, ContractedKVA: 8, TariffID: "residential"}
				if use.category == grid.Commercial {
					cust.Class, cust.TariffID, cust.ContractedKVA = grid.ClassOrdinary, "commercial", 30
				}
				if id == minerArea {
					if u > 0 {
						continue
					}
					up.ID, up.MeterID, up.CustomerID, up.Phase, up.CTRatio = minerPoint, "M-70418", "C-0417", "ABC", 80
					cust = grid.Customer{ID: "C-0417", Category: grid.Commercial, Class: grid.ClassOrdinary, DeclaredUse: "computer_sales", DeclaredUseText: "Computer sales and service", ContractedKVA: 200, TariffID: "commercial", Subject: "person"}
				}
				if id == hotArea && u == 3 {
					cust.DeclaredUseText = hostile
					cust.Protected = []string{"life_support"}
				}
				rec.UsagePoints = append(rec.UsagePoints, up)
				rec.Customers = append(rec.Customers, cust)
			}
		}
	}
	rec.Unmetered = []grid.UnmeteredLoad{{TransformerID: "T-1011", Kind: "street_light", KW: 1.2, Hours: "dusk_to_dawn"}}
	d.network = grid.NewNetwork(rec)
	d.fill(rng)
	d.judge()
	d.liveValues(rng)
}

// shape is the load of a usage point at an hour of a day, kW.
func (d *district) shape(u *grid.UsagePoint, cust *grid.Customer, date curve.Date, hour float64, rng *rand.Rand) float64 {
	bump := func(at, width float64) float64 { x := (hour - at) / width; return math.Exp(-x * x) }
	noise := 1 + 0.25*rng.NormFloat64()
	switch {
	case u.ID == minerPoint:
		if date < d.step() {
			return math.Max(0, 1.6+1.2*bump(14, 4)+0.2*rng.NormFloat64())
		}
		return 48 + 0.5*rng.NormFloat64() + 0.8*bump(5, 5)
	case u.TransformerID == hotArea && u.ID[len(u.ID)-1] == '0':
		return 4.4 + 0.1*rng.NormFloat64()
	case u.TransformerID == hotArea && cust.Category == grid.Commercial:
		return math.Max(0.2, (2+44*bump(12, 1.8)+6*bump(19, 2))*(1+0.08*rng.NormFloat64()))
	case cust.Category == grid.Commercial:
		return math.Max(0.3, (1+7*bump(13, 4))*noise)
	}
	return math.Max(0.12, (0.25+0.5*bump(7, 1.2)+1.6*bump(19.5, 2.2))*noise)
}

func (d *district) step() curve.Date { return d.last() - 40 }

// fill stores 60 days of curves for every meter; the areas' meters see all
// behind them with losses, and one area a direct tap.
func (d *district) fill(rng *rand.Rand) {
	for date := d.last() - districtDays + 1; date <= d.last(); date++ {
		var days []curve.Day
		for i := range d.network.Transformers {
			t := &d.network.Transformers[i]
			area := newDay(t.MeterID, date, d.loc)
			for _, u := range d.network.UsagePointsBehind(t.ID, d.now) {
				cust := d.network.Customer(u.CustomerID)
				day := newDay(u.MeterID, date, d.loc)
				for k := range day.EnergyKWh {
					kw := d.shape(u, cust, date, float64(k)/4, rng)
					day.EnergyKWh[k] = kw / 4
					area.EnergyKWh[k] += kw / 4 * 1.02
				}
				if u.ID == minerPoint && date == d.last()-9 {
					for k := 12; k < 30; k++ {
						day.EnergyKWh[k], day.Quality[k] = math.NaN(), meter.Bad
					}
				}
				if u.ID == minerPoint && date == d.last()-22 {
					continue // a day without data
				}
				days = append(days, day)
			}
			for k := range area.EnergyKWh {
				area.EnergyKWh[k] += 0.1
				if t.ID == "T-1033" {
					area.EnergyKWh[k] += 1.0
				}
			}
			days = append(days, area)
		}
		features := make([]curve.Features, len(days))
		if err := d.curves.PutDays(context.Background(), days, features); err != nil {
			d.t.Fatalf("store days: %v", err)
		}
	}
}

func newDay(meterID string, date curve.Date, loc *time.Location) curve.Day {
	day := curve.Day{MeterID: meterID, Date: date, Start: date.Start(loc).UTC(), Interval: 15 * time.Minute, EnergyKWh: make([]float64, 96), Quality: make([]meter.Quality, 96)}
	for k := range day.Quality {
		day.Quality[k] = meter.Good
	}
	return day
}

func (d *district) judge() {
	first, last := d.last()-districtDays+1, d.last()
	stamp := detect.Stamp{Detector: "hiddenmining", Version: "0.1.0", SHA256: "7c1e5a90b04a7c1e5a90b04a7c1e5a90b04a7c1e5a90b04a7c1e5a90b04a0000"}
	r := &detect.Result{RunID: "run-1", At: d.now.Add(-40 * time.Minute), FirstDay: first, LastDay: last, Prior: 0.01}
	for _, u := range d.network.UsagePointsAt(d.now) {
		r.UsagePoints = append(r.UsagePoints, detect.Assessment{UsagePointID: u.ID, MeterID: u.MeterID, CustomerID: u.CustomerID, TransformerID: u.TransformerID,
			Risk: 0.004, FirstDay: first, LastDay: last, MeanKW: 0.8, GoodShare: 0.997, Currency: "CNY",
			Contributions: []detect.Contribution{{Source: "prior", LogOdds: -4.6, Text: "one in a hundred"}}})
	}
	flag := func(id string, risk, excess, recoverable float64, reasons []string, f sdk.Finding) {
		for i := range r.UsagePoints {
			a := &r.UsagePoints[i]
			if a.UsagePointID != id {
				continue
			}
			a.Risk, a.ExcessKWhMonth, a.Recoverable, a.Reasons, a.Detectors = risk, excess, recoverable, reasons, []string{"hiddenmining"}
			a.FirstDay = curve.Date(f.FirstDay)
			a.Contributions = append(a.Contributions, detect.Contribution{Source: "hiddenmining", LogOdds: 6.1, Text: "flat at 48 kW since the step"}, detect.Contribution{Source: "declareduse", LogOdds: 2.2, Text: "26 times the energy of its use"}, detect.Contribution{Source: "energybalance", LogOdds: -0.4, Text: "the area's balance closes"})
			a.Findings = []detect.Finding{{Finding: f, Stamp: stamp}}
		}
	}
	flag(minerPoint, 0.97, 33640, 0, []string{"base_load_step", "flat_load", "use_not_declared", "listed_address"}, sdk.Finding{Subject: minerPoint, Kind: sdk.UsagePoint, Reason: "base_load_step", AlsoReasons: []string{"flat_load", "listed_address"}, Probability: 0.96, FirstDay: sdk.Date(d.step()), LastDay: sdk.Date(last), ExcessKWhMonth: 33640,
		Evidence: []sdk.Evidence{
			{Code: "base_step", Text: "Base load rose from 1.7 to 47.9 kW within two days", Value: 46.2, Unit: "kW", FirstDay: sdk.Date(d.step()), LastDay: sdk.Date(last), LogOdds: 2.4},
			{Code: "flat_share", Text: "98 % of hours lie within 3 % of the day's median", Value: 0.98, FirstDay: sdk.Date(d.step()), LastDay: sdk.Date(last), LogOdds: 3.1},
			{Code: "weather_relation", Text: "No relation to the weather, r = 0.04", Value: 0.04, FirstDay: sdk.Date(first), LastDay: sdk.Date(last), LogOdds: 0.6},
			{Code: "listed_ip", Text: "An address of the customer is on the watchlist of the telecom authority", Value: 1, LogOdds: 0.9}},
		Innocent: []sdk.Explanation{
			{Code: "thermostat", Text: "No compressor cycles, no weather relation (r = 0.04)", Outcome: sdk.RuledOut},
			{Code: "registered_data_centre", Text: "Not in the register", Outcome: sdk.RuledOut},
			{Code: "server_hosting", Text: "The same curve is possible; only a visit can tell", Outcome: sdk.Open},
			{Code: "weather", Text: "Same load at 31 °C and at 6 °C", Outcome: sdk.RuledOut},
			{Code: "ev_charging", Text: "3 to 8 kW are usual for one", Outcome: sdk.Unlikely}}})
	flag("UP-10230", 0.86, 2960, 0, []string{"flat_load"}, sdk.Finding{Reason: "flat_load", Probability: 0.86, FirstDay: sdk.Date(first), LastDay: sdk.Date(last), Evidence: []sdk.Evidence{{Code: "flat_share", Text: "Flat", Value: 0.9}}})
	flag("UP-10233", 0.22, 0, 450, []string{"above_contracted", "some_new_code"}, sdk.Finding{Reason: "above_contracted", Probability: 0.2, FirstDay: sdk.Date(first), LastDay: sdk.Date(last), Innocent: []sdk.Explanation{{Code: "growing_business", Text: "Two shifts are on record", Outcome: sdk.Explains}}})
	flag("UP-10323", 0.12, 0, 0, []string{"flat_load"}, sdk.Finding{Reason: "flat_load", Probability: 0.1, FirstDay: sdk.Date(first), LastDay: sdk.Date(last), Innocent: []sdk.Explanation{{Code: "weather", Text: "Follows the weather", Outcome: sdk.Explains}}})
	d.rank(r)
	for i := range d.network.Transformers {
		t := &d.network.Transformers[i]
		ta := detect.TransformerAssessment{TransformerID: t.ID, RatedKVA: t.RatedKVA, LoadingP95Pct: detect.Measured(20 + float64(i*7%60)), HotSpotMaxC: detect.Measured(45 + float64(i*5%40)), LossPct: 2.4, UnexplainedKWhMonth: 0, Verdicts: []string{"ok"}}
		switch t.ID {
		case hotArea:
			ta.LoadingP95Pct, ta.HotSpotMaxC, ta.Verdicts = 132, 130, []string{"overloaded", "undersized"}
			ta.Findings = []detect.Finding{{Finding: sdk.Finding{Reason: "undersized", FirstDay: sdk.Date(first), LastDay: sdk.Date(last), Metrics: map[string]float64{"hot_spot_max_c": 130, "relative_ageing": 1.76, "loading_p95_pct": 132},
				Evidence: []sdk.Evidence{{Code: "loading_p95", Text: "95th percentile of loading over 30 days", Value: 132, Unit: "%"}}}, Stamp: detect.Stamp{Detector: "undersized"}}}
		case "T-1033":
			ta.LossPct, ta.UnexplainedKWhMonth, ta.Verdicts = 9.1, 2940, []string{"unmetered_load"}
			ta.Findings = []detect.Finding{{Finding: sdk.Finding{Reason: "unmetered_load", Probability: 0.9, FirstDay: sdk.Date(first), LastDay: sdk.Date(last), Evidence: []sdk.Evidence{{Code: "residual", Text: "4.1 kW day and night that no meter has", Value: 4.1, Unit: "kW"}}}, Stamp: detect.Stamp{Detector: "energybalance"}}}
		case "T-1042":
			ta.Verdicts = []string{"records_error"}
		case "T-1031":
			ta.Verdicts, ta.Suspects, ta.UnexplainedKWhMonth = []string{"theft"}, []string{"UP-10312", "UP-10313"}, 410
		}
		r.Transformers = append(r.Transformers, ta)
	}
	d.result = r
	open := d.now.Add(-26 * time.Hour)
	d.cases = []Case{
		{ID: "C-2026-0001", UsagePointID: minerPoint, CustomerID: "C-0417", TransformerID: minerArea, State: "open", Risk: 0.96, Reasons: []string{"flat_load", "use_not_declared"}, Opened: open, Updated: d.now.Add(-time.Hour),
			Timeline: []CaseEvent{{At: open, What: "Case opened by finding", Text: "Risk 0.96: flat day and night."}, {At: d.now.Add(-time.Hour), What: "New finding joined", Text: "Use not the declared one.", Actor: "Lin Wei"}}},
		{ID: "C-2026-0002", TransformerID: "T-1033", State: "open", Reasons: []string{"unmetered_load"}, Opened: open, Updated: open},
	}
}

// rank puts what has a finding first, by risk.
func (d *district) rank(r *detect.Result) {
	var first, rest []detect.Assessment
	for _, id := range []string{minerPoint, "UP-10230", "UP-10233", "UP-10323"} {
		for _, a := range r.UsagePoints {
			if a.UsagePointID == id {
				a.Rank = len(first) + 1
				first = append(first, a)
			}
		}
	}
	for _, a := range r.UsagePoints {
		if len(a.Findings) == 0 {
			rest = append(rest, a)
		}
	}
	r.UsagePoints = append(first, rest...)
}

func (d *district) liveValues(rng *rand.Rand) {
	for i := range d.network.Transformers {
		t := &d.network.Transformers[i]
		pct := 20 + 60*rng.Float64()
		l := Loading{At: d.now.Add(-2 * time.Second), KVA: t.RatedKVA * pct / 100, KW: t.RatedKVA * pct / 105, HotSpotC: 35 + pct*0.55}
		switch t.ID {
		case hotArea:
			l.KVA, l.KW, l.HotSpotC = 66, 63, 124
		case minerArea:
			l.KVA, l.KW, l.HotSpotC = 51.3, 49, 39
		case "T-1044":
			l.At = d.now.Add(-12 * time.Minute)
		}
		d.loading[t.ID] = l
		dev := Device{ID: "gw-" + t.ID, MeterID: t.MeterID, Driver: "modbus", Address: "modbus://127.0.0.1:1502/" + fmt.Sprint(i+1), Profile: "sim-transformer", Interval: time.Second, LastGood: d.now.Add(-time.Second), LastTry: d.now, Due: 3600, OK: 3590, Failed: 10}
		if t.ID == "T-1044" {
			dev.State, dev.Since, dev.NextProbe, dev.Parallel, dev.Connections = "silent", l.At, d.now.Add(20*time.Second), 1, 2
			dev.ClockKnown, dev.ClockOffset = true, -40*time.Second
			dev.LastGood, dev.LastError = l.At, "device gw-T-1044: modbus://127.0.0.1:1502/34: dial tcp: connection refused; is the gateway on and its port open?"
		}
		d.devices = append(d.devices, dev)
	}
	d.devices = append(d.devices, Device{ID: "ua-substation", MeterID: "S-1", Driver: "opcua", Address: "opc.tcp://127.0.0.1:4840/district", Profile: "sim-substation", Interval: time.Second, LastGood: d.now, LastTry: d.now, Due: 3600, OK: 3600})
	d.plugins = []Plugin{
		{Name: "hiddenmining", Version: "0.1.0", Summary: "flat loads that look like computing", BuiltIn: true, SHA256: "7c1e5a90b04a7c1e5a90b04a7c1e5a90b04a7c1e5a90b04a7c1e5a90b04a0000", PID: 4711, Runs: 12, State: "running", Watched: true,
			LastRun: d.now.Add(-10 * time.Hour), LastTook: 92 * time.Second, Windows: 1240, MemoryPeak: 310 << 20, MemoryLimit: 16 << 30, CPU: 61 * time.Second},
		{Name: "energybalance", Version: "0.1.0", BuiltIn: true, SHA256: "7c1e5a90b04a7c1e5a90b04a7c1e5a90b04a7c1e5a90b04a7c1e5a90b04a0000", PID: 4711, Runs: 12, State: "running"},
		{Name: "acme_heat", Version: "2.0.1", SHA256: "91d02f3e", State: "quarantined", Error: "acme_heat: answered with a window it was not given; three times in a row, so it is out until the next start",
			Watched: true, Failures: 3, Shadow: true, MemoryPeak: 2 << 30, MemoryLimit: 2 << 30, CPU: 3200 * time.Millisecond, CPULimit: 0.5, Held: 90 * time.Second, LastWords: "panic: <nothing>"},
	}
}

// device is a device in full: the silent gateway, the substation, else bare.
func (d *district) device(id string) (*DeviceDetail, bool) {
	i := slices.IndexFunc(d.devices, func(one Device) bool { return one.ID == id })
	if i < 0 {
		return nil, false
	}
	out := &DeviceDetail{Device: d.devices[i], PastError: d.devices[i].LastError, PastErrorAt: d.now}
	switch id {
	case "gw-T-1044":
		out.Values = []DeviceValue{
			{Quantity: "hot_spot_temperature", Number: math.NaN(), Unit: "°C", Quality: "bad", Flags: []string{"comm_failure"}, Detail: "connection refused", Received: d.now},
			{Quantity: "voltage_ab", Number: math.NaN(), Unit: "V"},
			{Quantity: "power_factor", Number: 0.93, Unit: "1", Quality: "uncertain", Flags: []string{"frozen", "some_new_flag"}, Detail: hostile, At: d.now, Received: d.now},
		}
		out.Groups = []DeviceGroup{{Interval: time.Second, Blocks: []DeviceBlock{{Table: "holding", Address: 100, Count: 10, Quantities: []string{"hot_spot_temperature", "voltage_ab"}}}},
			{Name: "energy", Interval: 15 * time.Minute, NextTurn: d.now.Add(time.Minute), Blocks: []DeviceBlock{{Table: "input", Address: 7, Count: 1, Quantities: []string{"power_factor"}}}}}
		out.Notes = []string{"the server does not take the deadband"}
	case "ua-substation":
		out.Mode, out.State, out.Since, out.P50, out.P99, out.RoundTrip = "subscribe", "ok", d.now.Add(-time.Hour), 900*time.Microsecond, 12*time.Millisecond, time.Millisecond
		out.ClockKnown, out.PastError = true, "device ua-substation: connection reset; look at the network\nsecond line"
		out.Values = []DeviceValue{{Quantity: "active_power", Number: 1353.4219, Unit: "kW", Quality: "good", At: d.now.Add(-3 * time.Second), Received: d.now, Raw: "0bcea3dc"},
			{Quantity: "top_oil_temperature", Number: -4, Unit: "°C", Quality: "uncertain", Flags: []string{"stale"}, Detail: "the source's clock is behind", At: d.now, Received: d.now}}
		out.Groups = []DeviceGroup{{Interval: time.Second, Blocks: []DeviceBlock{{Table: "nodes", Count: 2, Quantities: []string{"active_power", "top_oil_temperature"}, Nodes: []string{"ns=2;s=Power", "ns=2;s=Oil"}}}}}
	}
	return out, true
}

func (d *district) LatestResult(context.Context) (*detect.Result, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.result, nil
}

func (d *district) Cases(context.Context) ([]Case, error) { return d.cases, nil }

func (d *district) Case(_ context.Context, id string) (*Case, error) {
	for i := range d.cases {
		if d.cases[i].ID == id {
			return &d.cases[i], nil
		}
	}
	return nil, fmt.Errorf("case %s: %w", id, ErrNotFound)
}

func (d *district) Measures(context.Context, string) (*Measures, error) {
	return &Measures{Policy: "generic 2026-10", PolicyHash: "91d0", FactsAt: d.now, List: []Measure{
		{Code: "watch", State: "open", Text: "Daily curve, no end date. Nothing is asked of the customer."},
		{Code: "desk_review", State: "running", Text: "Rule out wrong ratio, meter exchange and wrong transformer first."},
		{Code: "inspect", State: "open", Text: "A field task, by appointment."},
		{Code: "rectify", State: "blocked", Unmet: []Unmet{{Missing: "No ground is proven.", Supplier: "An inspection can supply the actual use found on site.", Rule: "contract_breach.evidence"}}},
		{Code: "tariff_correction", State: "blocked", Unmet: []Unmet{{Missing: "No ground is proven.", Supplier: "An inspection.", Rule: "tariff_misuse.evidence"}}},
		{Code: "refer", State: "blocked", Unmet: []Unmet{{Missing: "No receiver with a mandate over persons is named.", Supplier: "The policy pack.", Rule: "refer.receiver"}}},
		{Code: "suspend", State: "blocked", Unmet: []Unmet{{Missing: "No authority's written order on file.", Supplier: "The authority can supply it.", Rule: "contract_breach.suspend: requires authority_order"}, {Missing: "A score is never enough.", Supplier: "", Rule: "floor.score"}}},
		{Code: "restore", State: "not_applicable", Text: "Supply is on."}}}, nil
}

func (d *district) Authenticate(_ context.Context, name, password, _ string) (User, error) {
	if name == "locked" {
		return User{}, &ThrottledError{RetryAfter: 90 * time.Second}
	}
	if name == "broken" {
		return User{}, errors.New("store is gone")
	}
	u, ok := d.users[name]
	if !ok || password != "correct horse" {
		return User{}, fmt.Errorf("login %q: %w", name, ErrBadLogin)
	}
	return u, nil
}

func (d *district) User(_ context.Context, name string) (User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if u, ok := d.users[name]; ok {
		return u, nil
	}
	return User{}, ErrNotFound
}

type fakeHistorian struct {
	state string
	err   error
}

func (h fakeHistorian) State() (string, error) { return h.state, h.err }

func (d *district) config() Config {
	return Config{
		Site: Site{Name: "Shiqiao 35/10 kV", Area: "Hill County grid", Location: d.loc}, Results: d, Network: func() *grid.Network { return d.network }, Curves: d.curves, Access: d, Cases: d,
		Loading: func(context.Context) (map[string]Loading, error) { return d.loading, nil },
		Devices: func() []Device { return d.devices }, Device: d.device, Plugins: func() []Plugin { return d.plugins },
		Historian: fakeHistorian{state: "writing"}, Backlog: func(context.Context) (int64, error) { return d.backlog, nil },
		Hub: d.hub, LiveInterval: 20 * time.Millisecond, Version: "0.1.0", Clock: func() time.Time { return d.now }, Logger: slog.New(slog.DiscardHandler),
	}
}

func (d *district) handler(change ...func(*Config)) http.Handler {
	d.t.Helper()
	cfg := d.config()
	for _, f := range change {
		f(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		d.t.Fatalf("New: %v", err)
	}
	return h
}
