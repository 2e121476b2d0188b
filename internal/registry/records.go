package registry

import (
	"fmt"
	"math"
	"strings"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// Bounds of what a distribution network can hold; beyond them the unit or the
// column is wrong.
const (
	maxRatedKVA      = 1e6
	maxContractedKVA = 1e6
	maxLossW         = 1e8
	maxKV            = 1200
)

var transformerColumns = textfile.Columns{
	Required: []string{"transformer_id", "feeder_id", "substation_id", "rated_kva"},
	Optional: []string{"meter_id", "cooling", "hv_kv", "lv_kv", "no_load_loss_w", "load_loss_w", "impedance_pct", "insulation_class", "lat", "lon"},
}

func (l *loader) transformer(r *row) {
	t := grid.PowerTransformer{
		ID: r.id("transformer_id"), FeederID: r.id("feeder_id"), SubstationID: r.id("substation_id"),
		RatedKVA: r.positive("rated_kva", maxRatedKVA, "kVA"), MeterID: r.text("meter_id"),
		Cooling: strings.ToUpper(r.text("cooling")), InsulationClass: r.text("insulation_class"),
		HVKV: r.number("hv_kv", 0, maxKV, "kV"), LVKV: r.number("lv_kv", 0, maxKV, "kV"),
		NoLoadLossW: r.number("no_load_loss_w", 0, maxLossW, "W"), LoadLossW: r.number("load_loss_w", 0, maxLossW, "W"),
		ImpedancePct: r.number("impedance_pct", 0, 100, "%"),
		Lat:          r.number("lat", -90, 90, "degrees"), Lon: r.number("lon", -180, 180, "degrees"),
	}
	t.HasPosition = r.text("lat") != "" && r.text("lon") != ""
	if t.Cooling != "" && !knownCooling(t.Cooling) {
		r.problem(fmt.Sprintf("cooling %s is not known", textfile.Quote(r.text("cooling"))), "it is ONAN, ONAF, OFAF, ODAF, KNAN … (IEC 60076-2) or AN, AF (dry-type)")
	}
	l.records.Transformers = append(l.records.Transformers, t)
	l.places.transformers = append(l.places.transformers, r.place())
}

// knownCooling accepts the designations of IEC 60076-2 (oil, one or several
// joined by /) and 60076-11 (dry-type).
func knownCooling(s string) bool {
	for _, one := range strings.Split(s, "/") {
		switch len(one) {
		case 2:
			if one[0] != 'A' || !strings.ContainsRune("NF", rune(one[1])) {
				return false
			}
		case 4:
			dry := one[0] == 'A' || one[0] == 'G'
			oil := strings.ContainsRune("OKL", rune(one[0]))
			if !dry && !oil || !strings.ContainsRune("NFD", rune(one[1])) ||
				!strings.ContainsRune("AW", rune(one[2])) || !strings.ContainsRune("NF", rune(one[3])) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

var customerColumns = textfile.Columns{
	Required: []string{"customer_id", "category", "class", "declared_use", "contracted_kva", "tariff_id"},
	Optional: []string{"subject", "registered_data_centre", "protected"},
}

func (l *loader) customer(r *row) {
	c := grid.Customer{
		ID: r.id("customer_id"),
		Category: grid.Category(r.code("category", false, string(grid.Residential), string(grid.Commercial),
			string(grid.Industrial), string(grid.Agricultural), string(grid.Public))),
		Class:           grid.Class(r.code("class", false, string(grid.ClassResidential), string(grid.ClassOrdinary), string(grid.ClassImportant))),
		DeclaredUseText: r.text("declared_use"), DeclaredUse: l.uses.Match(r.text("declared_use")),
		ContractedKVA: r.number("contracted_kva", 0, maxContractedKVA, "kVA"), TariffID: r.text("tariff_id"),
		Subject: r.code("subject", true, "person", "enterprise"), RegisteredDataCentre: r.boolean("registered_data_centre"),
	}
	if list := r.text("protected"); list != "" {
		c.Protected = l.protected(r, list)
	}
	if c.TariffID != "" && l.tariffs != nil && !l.tariffs[c.TariffID] {
		known := make([]string, 0, len(l.tariffs))
		for id := range l.tariffs {
			known = append(known, id)
		}
		mend := "bills of this customer are left out; add the tariff to the tariff book"
		if near := textfile.Nearest(c.TariffID, known); near != "" && c.TariffID != "" {
			mend = fmt.Sprintf("did you mean %s?", near)
		}
		r.warn(fmt.Sprintf("tariff_id %s is not in the tariff book", textfile.Quote(c.TariffID)), mend)
	}
	l.records.Customers = append(l.records.Customers, c)
	l.places.customers = append(l.places.customers, r.place())
}

func (l *loader) protected(r *row, list string) []string {
	known := []string{"life_support", "medical", "essential_service", "other_users"}
	var flags []string
	for _, flag := range strings.Split(list, ";") {
		flag = strings.TrimSpace(flag)
		found := false
		for _, k := range known {
			found = found || flag == k
		}
		if !found {
			r.problem(fmt.Sprintf("protected %s is not known", textfile.Quote(flag)), "it is of "+strings.Join(known, ", ")+", joined by ;")
			continue
		}
		flags = append(flags, flag)
	}
	return flags
}

var usagePointColumns = textfile.Columns{
	Required: []string{"usage_point_id", "meter_id", "customer_id", "transformer_id"},
	Optional: []string{"phase", "ct_ratio", "pt_ratio", "multiplier", "valid_from", "valid_to"},
}

// ratioTolerance is how far multiplier may be from ct_ratio × pt_ratio: the
// rounding of a ratio written with a few decimals, not another ratio.
const ratioTolerance = 1e-4

func (l *loader) usagePoint(r *row) {
	u := grid.UsagePoint{
		ID: r.id("usage_point_id"), MeterID: r.id("meter_id"), CustomerID: r.id("customer_id"), TransformerID: r.id("transformer_id"),
		Phase:   grid.Phase(r.code("phase", true, "A", "B", "C", "ABC")),
		CTRatio: r.ratio("ct_ratio"), PTRatio: r.ratio("pt_ratio"), Multiplier: r.ratio("multiplier"),
	}
	u.ValidFrom, u.ValidTo = r.span("valid_from", "valid_to", false, true)
	if u.CTRatio > 0 && u.PTRatio > 0 && u.Multiplier > 0 {
		if product := u.CTRatio * u.PTRatio; math.Abs(product-u.Multiplier) > ratioTolerance*u.Multiplier {
			r.problem(fmt.Sprintf("multiplier %v is not ct_ratio × pt_ratio = %v", u.Multiplier, product), "correct one of the three, or leave one empty")
		}
	}
	l.records.UsagePoints = append(l.records.UsagePoints, u)
	l.places.usagePoints = append(l.places.usagePoints, r.place())
}

var watchlistColumns = textfile.Columns{
	Required: []string{"ip", "first_seen", "last_seen", "source", "legal_basis", "expires"},
	Optional: []string{"hashrate_hs", "algorithm", "coin"},
}

func (l *loader) watchlistEntry(r *row) {
	w := grid.WatchlistEntry{
		IP: r.ip("ip"), Source: r.id("source"), LegalBasis: r.id("legal_basis"), Expires: r.time("expires", true),
		HashrateHS: r.number("hashrate_hs", 0, 1e24, "H/s"), Algorithm: r.text("algorithm"), Coin: r.text("coin"),
	}
	w.FirstSeen, w.LastSeen = r.span("first_seen", "last_seen", true, false)
	if w.LastSeen.IsZero() {
		w.LastSeen = w.FirstSeen
	}
	l.records.Watchlist = append(l.records.Watchlist, w)
}

var assignmentColumns = textfile.Columns{Required: []string{"ip", "customer_id", "from", "to", "source"}}

func (l *loader) ipAssignment(r *row) {
	a := grid.IPAssignment{IP: r.ip("ip"), CustomerID: r.id("customer_id"), Source: r.text("source")}
	a.From, a.To = r.span("from", "to", true, true)
	l.records.IPAssignments = append(l.records.IPAssignments, a)
	l.places.assignments = append(l.places.assignments, r.place())
}

var weatherColumns = textfile.Columns{Required: []string{"time", "temp_c"}}

func (l *loader) weatherPoint(r *row) {
	if r.text("temp_c") == "" {
		return // a missing temperature is no temperature
	}
	w := grid.WeatherPoint{Time: r.time("time", true), TempC: r.number("temp_c", -90, 70, "°C")}
	l.records.Weather = append(l.records.Weather, w)
}

var calendarColumns = textfile.Columns{Required: []string{"date", "kind"}, Optional: []string{"name"}}

func (l *loader) calendarDay(r *row) {
	date, err := curve.ParseDate(r.text("date"))
	if err != nil {
		r.problem("date "+err.Error(), "")
		return
	}
	l.records.Calendar = append(l.records.Calendar, grid.CalendarDay{
		Date: date.String(), Kind: r.code("kind", false, "holiday", "workday"), Name: r.text("name")})
	l.places.calendar = append(l.places.calendar, r.place())
}

var unmeteredColumns = textfile.Columns{Required: []string{"transformer_id", "kind", "kw", "hours"}}

func (l *loader) unmeteredLoad(r *row) {
	l.records.Unmetered = append(l.records.Unmetered, grid.UnmeteredLoad{
		TransformerID: r.id("transformer_id"), Kind: r.code("kind", false, "street_light", "other"),
		KW: r.number("kw", 0, 1e6, "kW"), Hours: r.code("hours", false, "dusk_to_dawn", "always")})
	l.places.unmetered = append(l.places.unmetered, r.place())
}
