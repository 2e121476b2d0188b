package registry

import (
	"os"
	"strings"
	"testing"
)

func catalogue(t testing.TB) *Uses {
	t.Helper()
	const file = "../../configs/uses.yaml"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	uses, err := ParseUses(file, data)
	if err != nil {
		t.Fatal(err)
	}
	return uses
}

func TestShippedUsesAreComplete(t *testing.T) {
	uses := catalogue(t)
	for _, code := range []string{"dwelling", "computer_sales", "cold_store", "telecom_mast", "data_centre", "internet_cafe",
		"shop", "shop_24h", "workshop", "office", "school", "restaurant", "street_light", "corridor", "farm_pump", "ev_charging", "other"} {
		if uses.Use(code) == nil {
			t.Errorf("use %s is missing", code)
		}
	}
	for _, u := range uses.All() {
		if u.DailyKWhHigh <= 0 || u.NightDayRatio <= 0 || u.Source == "" || u.NameZH == "" {
			t.Errorf("use %s lacks a figure, its source or its Chinese name: %+v", u.Code, u)
		}
	}
}

func TestMatchDeclaredUse(t *testing.T) {
	uses := catalogue(t)
	for text, want := range map[string]string{
		"dwelling": "dwelling", "Cold Store": "cold_store", "COLD-STORAGE": "cold_store", "24h shop": "shop_24h",
		"sale of computers and parts": "computer_sales", "computer_sales": "computer_sales", "电脑销售": "computer_sales",
		"ｃｏｌｄ　ｓｔｏｒｅ": "cold_store", "居民生活用电": "dwelling", "张三网吧": "internet_cafe",
		"Internet Café": "internet_cafe", "Internet Cafe\u0301": "internet_cafe", "workshop of a tailor": "workshop",
		"landlord's supply, lifts": "corridor", "Traffic lights, junction 12": "traffic_signal", "红绿灯": "traffic_signal", "Shinto shrine": "worship",
		"public library": "community_centre", "public toilets in the park": "public_toilet", "路灯照明": "street_light", "村委会": "community_centre",
		"photoshop": "other", "": "other", "zzz": "other", "other": "other",
	} {
		if got := uses.Match(text); got != want {
			t.Errorf("Match(%q) = %s, want %s", text, got, want)
		}
	}
	if got := (*Uses)(nil).Match("dwelling"); got != OtherUse {
		t.Errorf("a nil catalogue matched %s", got)
	}
}

func TestParseUsesNamesTheMend(t *testing.T) {
	for _, c := range []struct{ name, yaml, want string }{
		{"unknown key", "uses:\n  - code: other\n    dayly_kwh_low: 1\n", `uses.yaml:3:5: unknown key "dayly_kwh_low"; did you mean daily_kwh_low?`},
		{"duplicate code", "uses:\n  - code: other\n  - code: other\n", `uses.yaml:3:5: code "other" stands there twice`},
		{"no other", "uses:\n  - code: shop\n", "there is no use with the code other"},
		{"range", "uses:\n  - {code: other, daily_kwh_low: 5, daily_kwh_high: 2}\n", "are no range"},
		{"shared synonym", "uses:\n  - {code: other}\n  - {code: a, synonyms: [x]}\n  - {code: b, synonyms: [X]}\n", `synonym "X" belongs to a already`},
		{"not UTF-8", "uses:\n  - code: \xff\n", "not UTF-8"},
	} {
		_, err := ParseUses("uses.yaml", []byte(c.yaml))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}
