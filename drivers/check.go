package drivers

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/drivers/profile"
)

// Bounds of Device.Interval.
const (
	MinInterval = 200 * time.Millisecond
	MaxInterval = time.Hour
)

// Check validates what every driver needs of a device. Drivers call it first
// in their own Check, with the protocol that they speak and the options that
// they know.
func (d *Device) Check(protocol profile.Protocol, options ...string) error {
	var list []error
	bad := func(format string, args ...any) {
		list = append(list, fmt.Errorf("device %s: %s", d.ID, fmt.Sprintf(format, args...)))
	}
	switch {
	case d.Profile == nil:
		bad("it has no profile; name one")
	case d.Profile.Protocol != protocol:
		bad("profile %s is for %s; name one for %s", d.Profile.Name, d.Profile.Protocol, protocol)
	}
	if d.Timeout < 0 {
		bad("timeout %v is negative; leave it out for the default", d.Timeout)
	}
	for i, r := range d.Ratios {
		for _, f := range []struct {
			name  string
			value float64
		}{{"factor", r.Factor}, {"ct_ratio", r.CT}, {"pt_ratio", r.PT}} {
			if f.value < 0 || math.IsNaN(f.value) || math.IsInf(f.value, 0) {
				bad("%s is %v; it must be positive", f.name, f.value)
			}
		}
		if r.CT > 0 && r.PT > 0 && r.Factor > 0 && math.Abs(r.CT*r.PT/r.Factor-1) > 1e-6 {
			bad("factor %v is not ct_ratio %v times pt_ratio %v; make them agree", r.Factor, r.CT, r.PT)
		}
		if i > 0 && !d.Ratios[i-1].From.Before(r.From) {
			bad("its ratios are out of order: %v does not come after %v", r.From, d.Ratios[i-1].From)
		}
	}
	if d.Profile != nil {
		d.checkGroups(bad)
	}
	if d.Mode != "" && d.Mode != Poll && d.Mode != Subscribe {
		bad("mode is %q; write %s or %s", d.Mode, Poll, Subscribe)
	}
	known := make(map[string]bool, len(options))
	for _, o := range options {
		known[o] = true
	}
	sort.Strings(options)
	for _, key := range sortedKeys(d.Options) {
		if !known[key] {
			bad("option %q is not known; the options of this driver are %s", key, strings.Join(options, ", "))
		}
	}
	return errors.Join(list...)
}

// checkGroups holds the intervals of groups to names and bounds.
func (d *Device) checkGroups(bad func(format string, args ...any)) {
	var names []string
	for _, g := range d.Profile.Groups() {
		if g.Name != "" {
			names = append(names, g.Name)
		}
	}
	for name, interval := range d.Groups {
		switch {
		case !slices.Contains(names, name):
			bad("profile %s has no group %q; it has %s", d.Profile.Name, name, strings.Join(append(names, "none further"), ", "))
		case interval < MinInterval || interval > MaxInterval:
			bad("interval %v of group %s; give %v to %v", interval, name, MinInterval, MaxInterval)
		}
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
