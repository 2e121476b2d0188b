// Package detect runs detectors over the curves: it hands them pseudonymised
// windows of daily features, raw curves where they ask for them, and merges
// what they report into one Result that names real ids again.
//
// Run is the whole of it: a Plan, its Parts one after another, and Merge, which
// hosts of a cluster share among them (Worker). It does not care where a detector lives: an
// Evaluator is either Local, in this process, or a plugin that Launch has
// started, checks, supervises and stops. Whatever a plugin sends is taken for
// hostile until it has been checked.
//
// What detectors know of load lives in plugins; how their scores become one
// risk, in risk; what follows from a Result, in cases. Detect imports curve,
// grid, registry, tariff, risk and plugins/sdk; host, scan, cases, console and
// stores import detect.
package detect
