package cluster

import (
	"hash/fnv"
	"slices"
)

// Device is what decides about the partition of a device.
type Device struct {
	ID       string
	Endpoint string // gateway, server or line that it is reached through
	MeterID  string
}

// Partition deals devices out. Devices that share an endpoint are together, so
// that a gateway has one master; so are those of one meter, so that one reader
// builds its curve; and those that are joined over several such steps. The
// same devices give the same partitions at every host, in whatever order they
// are listed.
func Partition(devices []Device, partitions int) map[string]int {
	parent := make(map[string]string, 2*len(devices))
	var root func(string) string
	root = func(n string) string {
		p, known := parent[n]
		if !known || p == n {
			parent[n] = n
			return n
		}
		top := root(p)
		parent[n] = top
		return top
	}
	// The least name of all that are joined stands for them.
	join := func(a, b string) {
		a, b = root(a), root(b)
		parent[max(a, b)] = min(a, b)
	}
	for _, d := range devices {
		join("e\x00"+d.Endpoint, "m\x00"+d.MeterID)
	}
	out := make(map[string]int, len(devices))
	for _, d := range devices {
		h := fnv.New64a()
		_, _ = h.Write([]byte(root("e\x00" + d.Endpoint)))
		out[d.ID] = int(mix(h.Sum64()) % uint64(max(1, partitions))) //nolint:gosec // below partitions
	}
	return out
}

// Digest is a short text that differs where devices or partitions differ.
func Digest(placed map[string]int) string {
	ids := make([]string, 0, len(placed))
	for id := range placed {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	h := fnv.New64a()
	for _, id := range ids {
		_, _ = h.Write([]byte(id))
		_, _ = h.Write([]byte{0, byte(placed[id]), byte(placed[id] >> 8)}) //nolint:gosec // two bytes of a number below 1,024
	}
	return hexOf(h.Sum64())
}
