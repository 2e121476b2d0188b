package drivers

import (
	"errors"
	"fmt"
	"math"
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
	for _, f := range []struct {
		name  string
		value float64
	}{{"factor", d.Factor}, {"ct_ratio", d.CTRatio}, {"pt_ratio", d.PTRatio}} {
		if f.value < 0 || math.IsNaN(f.value) || math.IsInf(f.value, 0) {
			bad("%s is %v; it must be positive", f.name, f.value)
		}
	}
	if d.CTRatio > 0 && d.PTRatio > 0 && d.Factor > 0 && math.Abs(d.CTRatio*d.PTRatio/d.Factor-1) > 1e-6 {
		bad("factor %v is not ct_ratio %v times pt_ratio %v; make them agree", d.Factor, d.CTRatio, d.PTRatio)
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

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
