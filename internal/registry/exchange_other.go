//go:build !linux

package registry

func exchange(a, b string) error { return renameBoth(a, b) }
