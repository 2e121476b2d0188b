// Package plot draws the curves of the benchmark as SVG in the console's
// language: the measured in ink, what it is compared with in grey, limits in
// red, labels beside the lines, a title that states the result. The files
// follow the reader's light or dark setting by themselves.
package plot
