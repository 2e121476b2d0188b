//go:build !linux

package main

// dropStartPages does nothing where memory maps cannot be told.
func dropStartPages() {}
