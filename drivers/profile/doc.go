// Package profile holds device profiles: which registers or nodes a device
// has, how they are encoded, and how to read them in few block reads.
package profile
