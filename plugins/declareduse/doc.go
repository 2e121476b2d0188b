// Package declareduse is the detector of loads that do not go with the use
// that was applied for: too much energy for it, a load at night when such a
// use is closed, more power than contracted, a household tariff with a
// business behind it.
//
// It imports the plugin SDK and the standard library only.
package declareduse
