package cluster

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"
)

// score orders hosts for a partition: the highest has it, whoever asks.
func score(host string, partition int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(host))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(strconv.Itoa(partition)))
	return mix(h.Sum64())
}

// mix spreads the few bits in which FNV sums of neighbouring names differ.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func hexOf(x uint64) string { return strconv.FormatUint(x, 16) }

// assign says who should have each partition. holders are those who have them
// now, "" for a partition that nobody who may keep it has. Every host gets the
// same number or one more; of what a host has, it keeps what it may; what is
// free goes by rendezvous hashing to those with room. Hosts that see the same
// reach the same result, and each step towards it leads to the same result.
func assign(hosts, holders []string) []string {
	desired := make([]string, len(holders))
	if len(hosts) == 0 {
		return desired
	}
	hosts = slices.Sorted(slices.Values(hosts))
	held := make(map[string][]int, len(hosts))
	for _, h := range hosts {
		held[h] = nil
	}
	var free []int
	for p, h := range holders {
		if _, known := held[h]; known {
			held[h] = append(held[h], p)
		} else {
			free = append(free, p)
		}
	}
	room := quotas(hosts, held, len(holders))
	for _, h := range hosts {
		mine := held[h]
		slices.SortFunc(mine, func(a, b int) int { return cmp.Compare(score(h, b), score(h, a)) })
		keep := min(room[h], len(mine))
		for _, p := range mine[:keep] {
			desired[p] = h
		}
		room[h] -= keep
		free = append(free, mine[keep:]...)
	}
	slices.Sort(free)
	for _, p := range free {
		best, top := "", uint64(0)
		for _, h := range hosts {
			if s := score(h, p); room[h] > 0 && (best == "" || s > top) {
				best, top = h, s
			}
		}
		desired[p] = best
		room[best]--
	}
	return desired
}

// quotas deals n partitions out in numbers. Those that have more than the
// least already are the first to have one more.
func quotas(hosts []string, held map[string][]int, n int) map[string]int {
	least, more := n/len(hosts), n%len(hosts)
	room := make(map[string]int, len(hosts))
	for _, above := range []bool{true, false} {
		for _, h := range hosts {
			if (len(held[h]) > least) != above {
				continue
			}
			room[h] = least
			if more > 0 {
				room[h]++
				more--
			}
		}
	}
	return room
}

// preferred is who should lead: whoever does, otherwise the one of the highest score.
func preferred(hosts []string, holder string) string {
	if slices.Contains(hosts, holder) {
		return holder
	}
	best, top := "", uint64(0)
	for _, h := range slices.Sorted(slices.Values(hosts)) {
		if s := score(h, -1); best == "" || s > top {
			best, top = h, s
		}
	}
	return best
}
