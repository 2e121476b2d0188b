package tariff

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/gridwarden/gridwarden/internal/strictyaml"
)

// rawFile is a tariff file as it is written. Amounts are text, so that no
// float stands between the file and the account.
type rawFile struct {
	Jurisdiction string      `yaml:"jurisdiction"`
	Currency     string      `yaml:"currency"`
	Status       string      `yaml:"status"`
	Sources      []string    `yaml:"sources"`
	Tariffs      []rawTariff `yaml:"tariffs"`
}

type rawTariff struct {
	ID          string     `yaml:"id"`
	Name        string     `yaml:"name"`
	Kind        string     `yaml:"kind"`
	Alternative string     `yaml:"alternative"`
	DefaultFor  []string   `yaml:"default_for"`
	Tables      []rawTable `yaml:"tables"`
}

type rawTable struct {
	From        string      `yaml:"from"`
	To          string      `yaml:"to"`
	FixedPerDay string      `yaml:"fixed_per_day"`
	Flat        string      `yaml:"flat"`
	Tiers       []rawTier   `yaml:"tiers"`
	Periods     []rawPeriod `yaml:"periods"`
	Demand      *rawDemand  `yaml:"demand"`
}

type rawTier struct {
	UpToKWh string `yaml:"up_to_kwh"`
	Price   string `yaml:"price"`
}

type rawPeriod struct {
	Name  string   `yaml:"name"`
	Hours []string `yaml:"hours"`
	Price string   `yaml:"price"`
}

type rawDemand struct {
	Per   string `yaml:"per"`
	Price string `yaml:"price"`
	Free  string `yaml:"free"`
}

// checker turns raw values into exact ones and records what is wrong.
type checker struct {
	doc *strictyaml.Document
}

func (c *checker) oneOf(at, name, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.doc.Add(at, "%s is %q; write one of %s", name, value, strings.Join(allowed, ", "))
	}
}

func (c *checker) price(at, text string) *big.Rat {
	exact, err := parseDecimal(text)
	if err != nil {
		c.doc.Add(at, "%v", err)
		return new(big.Rat)
	}
	if exact.Sign() < 0 {
		c.doc.Add(at, "price %s is negative; write 0 or more", text)
	}
	return exact
}

func (c *checker) tiers(at string, raw []rawTier) []tier {
	out := make([]tier, 0, len(raw))
	below := new(big.Rat)
	for i, r := range raw {
		here := fmt.Sprintf("%s.tiers[%d]", at, i)
		step := tier{price: c.price(here+".price", r.Price)}
		last := i == len(raw)-1
		switch {
		case r.UpToKWh == "" && !last:
			c.doc.Add(here, "only the last tier may be without an end; give up_to_kwh")
		case r.UpToKWh != "" && last:
			c.doc.Add(here+".up_to_kwh", "the last tier must have no end; leave up_to_kwh out")
		case r.UpToKWh != "":
			step.upToKWh = c.price(here+".up_to_kwh", r.UpToKWh)
			if step.upToKWh.Cmp(below) <= 0 {
				c.doc.Add(here+".up_to_kwh", "tier ends at %s kWh, not above the one before; put the tiers in rising order", r.UpToKWh)
			}
			below = step.upToKWh
		}
		out = append(out, step)
	}
	return out
}

func (c *checker) periods(at string, raw []rawPeriod) []period {
	var out []period
	var covered [24]bool
	for i, r := range raw {
		here := fmt.Sprintf("%s.periods[%d]", at, i)
		if r.Name == "" {
			c.doc.Add(here, "period has no name; name it, such as peak")
		}
		p := period{name: r.Name, price: c.price(here+".price", r.Price)}
		for j, span := range r.Hours {
			from, to, ok := parseHours(span)
			if !ok {
				c.doc.Add(fmt.Sprintf("%s.hours[%d]", here, j), "hours %q are not a span; write whole hours from-to, such as 22-8", span)
				continue
			}
			for n := range (to-from+23)%24 + 1 {
				h := (from + n) % 24
				if covered[h] {
					c.doc.Add(fmt.Sprintf("%s.hours[%d]", here, j), "hour %d is in a period already; let periods not overlap", h)
				}
				covered[h], p.hours[h] = true, true
			}
		}
		out = append(out, p)
	}
	for h, in := range covered {
		if !in {
			c.doc.Add(at+".periods", "hour %d belongs to no period; let the periods cover the day", h)
			break
		}
	}
	return out
}

// parseHours reads "8-22"; "22-8" passes midnight and "0-24" is the whole day.
func parseHours(s string) (from, to int, ok bool) {
	a, b, found := strings.Cut(s, "-")
	from, err1 := strconv.Atoi(a)
	to, err2 := strconv.Atoi(b)
	ok = found && err1 == nil && err2 == nil && from >= 0 && from < 24 && to >= 0 && to <= 24 && from != to
	return from, to, ok
}

func isUpper(s string) bool {
	for _, r := range s {
		if r < 'A' || r > 'Z' {
			return false
		}
	}
	return true
}

func isID(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
