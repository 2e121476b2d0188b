package tariffmisuse

import "github.com/gridwarden/gridwarden/plugins/sdk"

// billed is the tariff class of a usage point as far as this detector tells
// classes apart.
type billed struct {
	class   string // residential, agricultural, public
	assumed bool   // taken from the category: the tariff is not in the tariff files
	trade   bool   // the records themselves say that there is a trade behind it
}

// billedClass says which class a point is billed in; ok is false for those
// that this detector does not judge.
func billedClass(s *sdk.Subject) (b billed, ok bool) {
	kind, category := s.Text(sdk.AttrTariffKind), s.Text(sdk.AttrCategory)
	b.class = kind
	if kind == "" {
		b.class, b.assumed = category, true
	}
	switch {
	case b.class == "residential", b.class == "agricultural":
	case b.class == "public", b.class == "other" && category == "public":
		b.class = "public"
	default:
		return b, false
	}
	b.trade = category == "commercial" || category == "industrial" || b.class == "residential" && !domestic(s.Text(sdk.AttrDeclaredUse))
	return b, true
}

// domestic reports whether a use is one that a residential tariff is for.
func domestic(use string) bool {
	switch use {
	case "", "dwelling", "corridor", "ev_charging", "other":
		return true
	}
	return false
}

// institution reports whether a public use has opening hours of its own, so
// that business hours say nothing.
func institution(s *sdk.Subject) bool {
	switch s.Text(sdk.AttrDeclaredUse) {
	case "street_light", "corridor", "lift", "farm_pump", "telecom_mast", "traffic_signal":
		return false
	}
	return true
}
