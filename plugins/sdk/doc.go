// Package sdk is the public contract between Gridwarden and its detectors.
package sdk
