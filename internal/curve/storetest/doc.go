// Package storetest is the behaviour that every curve.WorkStore must show, as
// one suite that the tests of each implementation run.
package storetest
