// Package chart draws the console's charts as SVG: lines, bands, stacks, bars
// and heat maps, at design width, one viewBox unit to a pixel. Colours are
// classes of the console's style sheet; nothing inline. It knows nothing of
// meters: callers give numbers and words. Only console imports it.
package chart
