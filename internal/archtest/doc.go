// Package archtest holds the house rules that a compiler does not check, as
// plain functions over the parsed tree: who may import whom, no init, a doc.go
// in every package, files of at most 500 lines, no tests that skip, nothing of
// the machine that a file was written on. Its test applies them to the whole
// repository, and each rule to a small tree that breaks it.
//
// A rule that stands in the way is changed here, in the open, in the same
// change that needs it. Nobody imports this package.
package archtest
