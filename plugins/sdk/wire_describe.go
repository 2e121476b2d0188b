package sdk

import (
	"fmt"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// PackDescription turns a description into its message.
func PackDescription(d *Description, configurable bool) *detectorv1.Description {
	out := &detectorv1.Description{
		Name: d.Name, Version: d.Version, Summary: d.Summary, Scope: string(d.Scope), AllFeatures: d.Features == nil,
		MinimumQuality: detectorv1.Quality(d.MinimumQuality) + 1, LookbackDays: int32(d.LookbackDays),
		Provides: d.Provides, ConfigSchema: d.ConfigSchema, Configurable: configurable,
		AllAttributes: d.Attributes == nil, Attributes: d.Attributes, OnlyWith: d.OnlyWith, Events: d.Events,
		Corroborates: d.Corroborates,
	}
	for _, q := range d.Quantities {
		out.Quantities = append(out.Quantities, string(q))
	}
	for _, f := range d.Features {
		out.Features = append(out.Features, string(f))
	}
	return out
}

// UnpackDescription reads and checks a description that came over the wire.
func UnpackDescription(p *detectorv1.Description) (Description, error) {
	d := Description{
		Name: p.GetName(), Version: p.GetVersion(), Summary: p.GetSummary(), Scope: Scope(p.GetScope()),
		LookbackDays: int(p.GetLookbackDays()), Provides: p.GetProvides(), ConfigSchema: p.GetConfigSchema(),
		OnlyWith: p.GetOnlyWith(), Events: p.GetEvents(), Corroborates: p.GetCorroborates(),
	}
	if !p.GetAllAttributes() {
		d.Attributes = append([]string{}, p.GetAttributes()...)
	}
	switch p.GetMinimumQuality() {
	case detectorv1.Quality_QUALITY_UNSPECIFIED, detectorv1.Quality_QUALITY_BAD:
		d.MinimumQuality = meter.Bad
	case detectorv1.Quality_QUALITY_UNCERTAIN:
		d.MinimumQuality = meter.Uncertain
	case detectorv1.Quality_QUALITY_GOOD:
		d.MinimumQuality = meter.Good
	default:
		return Description{}, fmt.Errorf("minimum quality %d is none of the contract's", p.GetMinimumQuality())
	}
	for _, q := range p.GetQuantities() {
		d.Quantities = append(d.Quantities, meter.Quantity(q))
	}
	if !p.GetAllFeatures() {
		d.Features = make([]Feature, 0, len(p.GetFeatures()))
		for _, f := range p.GetFeatures() {
			d.Features = append(d.Features, Feature(f))
		}
	}
	return d, d.Check()
}
