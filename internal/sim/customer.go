package sim

import (
	"math"
	"math/rand/v2"
)

// customer is the contract behind a usage point, as a records office has it.
type customer struct {
	id            string
	category      string
	class         string
	declaredUse   string // a code of configs/uses.yaml, or as somebody once wrote it
	contractedKVA float64
	tariffID      string
	subject       string
	registeredDC  bool
	protected     string
}

// contract sizes, kVA; a household of one phase has 5 to 9.
var contracts = [...]float64{5, 7, 9, 11, 15, 22, 32, 45, 63, 80, 100, 125, 160, 200, 250}

// contractFor is the smallest contract that carries kw at power factor .95.
func contractFor(kw float64) float64 {
	for _, c := range contracts {
		if c*.95 >= kw {
			return c
		}
	}
	return contracts[len(contracts)-1]
}

// record is what the office writes for one kind of usage point. uses are
// drawn from with equal chance: mostly the code, at times somebody's words.
type record struct {
	category, class, tariff, subject string
	uses                             []string
}

var records = map[string]record{
	"household":      {"residential", "residential", "res_tiered", "person", []string{"dwelling"}},
	"shop":           {"commercial", "ordinary", "com_flat", "enterprise", []string{"shop", "shop", "shop", "grocery", "premises on the market"}},
	"workshop":       {"industrial", "ordinary", "ind_two_part", "enterprise", []string{"workshop", "workshop", "joinery", "car repair"}},
	"office":         {"commercial", "ordinary", "com_flat", "enterprise", []string{"office", "office", "offices"}},
	"school":         {"public", "important", "pub_flat", "enterprise", []string{"school"}},
	"clinic":         {"public", "important", "pub_flat", "enterprise", []string{"clinic"}},
	"restaurant":     {"commercial", "ordinary", "com_flat", "enterprise", []string{"restaurant", "restaurant", "canteen"}},
	"bakery":         {"commercial", "ordinary", "com_flat", "enterprise", []string{"bakery"}},
	"hotel":          {"commercial", "ordinary", "com_flat", "enterprise", []string{"hotel"}},
	"farm":           {"agricultural", "ordinary", "agr_flat", "enterprise", []string{"farm", "farm", "dairy farm"}},
	"greenhouse":     {"agricultural", "ordinary", "agr_flat", "enterprise", []string{"greenhouse"}},
	"cold_store":     {"industrial", "ordinary", "ind_two_part", "enterprise", []string{"cold_store", "cold_store", "refrigerated warehouse"}},
	"telecom_mast":   {"industrial", "important", "ind_two_part", "enterprise", []string{"telecom_mast", "telecom_mast", "base station"}},
	"data_room":      {"commercial", "important", "com_tou", "enterprise", []string{"data_centre"}},
	"all_hours_shop": {"commercial", "ordinary", "com_flat", "enterprise", []string{"shop_24h", "24h shop"}},
	"petrol_station": {"commercial", "ordinary", "com_flat", "enterprise", []string{"petrol station"}},
	"water_pump":     {"public", "important", "ind_two_part", "enterprise", []string{"water_works"}},
	"car_charging":   {"commercial", "ordinary", "com_flat", "enterprise", []string{"ev_charging"}},
	"corridor":       {"public", "ordinary", "pub_flat", "enterprise", []string{"corridor", "corridor", "stairwell"}},
	"internet_cafe":  {"commercial", "ordinary", "com_flat", "enterprise", []string{"internet_cafe"}},
	"computer_sales": {"commercial", "ordinary", "com_flat", "enterprise", []string{"computer_sales"}},
}

// newCustomer writes the contract of a kind of usage point.
func newCustomer(r *rand.Rand, kind string, kw float64) customer {
	rec := records[kind]
	c := customer{
		category: rec.category, class: rec.class, tariffID: rec.tariff, subject: rec.subject,
		declaredUse: pick(r, rec.uses...), contractedKVA: contractFor(kw * 1.15),
		registeredDC: kind == "data_room",
	}
	switch {
	case kind == "household":
		c.contractedKVA = pick(r, 5., 7, 7, 9)
		c.tariffID = pick(r, "res_tiered", "res_tiered", "res_tiered", "res_tou")
		if kw > 6 {
			c.contractedKVA = math.Max(c.contractedKVA, contractFor(kw))
		}
		if chance(r, .012) {
			c.protected = pick(r, "life_support", "medical")
		}
	case kind == "clinic":
		c.protected = "medical;essential_service"
	case kind == "water_pump", kind == "telecom_mast":
		c.protected = "essential_service"
	case kind == "corridor":
		c.protected = "other_users"
	}
	return c
}
