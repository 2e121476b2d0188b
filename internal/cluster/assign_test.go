package cluster

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func hostsOf(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint("host-", i))
	}
	return list
}

func TestAssignIsEvenAndMovesFew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hosts := hostsOf(rapid.IntRange(1, 8).Draw(t, "hosts"))
		before := make([]string, rapid.IntRange(1, 70).Draw(t, "partitions"))
		had := make(map[string]int)
		for p := range before { // "gone" is a host that is not there any more
			before[p] = rapid.SampledFrom(append(slices.Clone(hosts), "", "gone")).Draw(t, "holder")
			had[before[p]]++
		}
		after := assign(hosts, before)
		has := make(map[string]int)
		moved := 0
		for p, h := range after {
			has[h]++
			if h != before[p] && slices.Contains(hosts, before[p]) {
				moved++
			}
		}
		least, most := len(before)/len(hosts), (len(before)+len(hosts)-1)/len(hosts)
		excess := 0 // what must move: more than a host may have
		for _, h := range hosts {
			if has[h] < least || has[h] > most {
				t.Fatalf("%s has %d of %d, %d to %d are even", h, has[h], len(before), least, most)
			}
			excess += max(0, had[h]-most)
		}
		if allowed := excess + len(hosts); moved > allowed {
			t.Fatalf("%d partitions moved between living hosts, where %d had to", moved, excess)
		}
		if again := assign(hosts, after); !slices.Equal(again, after) {
			t.Fatalf("what is even moved: %v became %v", after, again)
		}
		slices.Reverse(hosts)
		if other := assign(hosts, before); !slices.Equal(other, after) {
			t.Fatal("the order in which hosts are listed matters")
		}
		// Each step on the way leads to the same end.
		for _, p := range rapid.Permutation(indexes(len(before))).Draw(t, "order") {
			if before[p] == after[p] {
				continue
			}
			before[p] = ""
			if on := assign(hosts, before); !slices.Equal(on, after) {
				t.Fatalf("after %d was given up the aim is another", p)
			}
			before[p] = after[p]
			if on := assign(hosts, before); !slices.Equal(on, after) {
				t.Fatalf("after %d was taken the aim is another", p)
			}
		}
	})
}

func indexes(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

func TestAJoinAndALeaveMoveNoMoreThanTheyMust(t *testing.T) {
	three := assign(hostsOf(3), make([]string, 64))
	four := assign(hostsOf(4), three)
	if n := differ(three, four); n != 16 {
		t.Errorf("%d of 64 partitions moved when a fourth host came; it gets 16", n)
	}
	if n := differ(four, assign(hostsOf(3), four)); n != 16 {
		t.Errorf("%d of 64 partitions moved when the fourth host left; it had 16", n)
	}
}

func differ(a, b []string) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

func TestOneLeads(t *testing.T) {
	if got := preferred(hostsOf(3), "host-1"); got != "host-1" {
		t.Errorf("%s leads instead of who did", got)
	}
	first := preferred(hostsOf(3), "gone")
	if again := preferred([]string{"host-2", "host-1", "host-0"}, ""); again != first || first == "" {
		t.Errorf("%q and %q lead", first, again)
	}
	if got := preferred(nil, "gone"); got != "" {
		t.Errorf("%q leads where nobody is", got)
	}
}

func TestPartitionsKeepTogetherWhatIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []Device
		for i := range rapid.IntRange(1, 60).Draw(t, "devices") {
			list = append(list, Device{
				ID:       fmt.Sprint("d", i),
				Endpoint: fmt.Sprint("gw-", rapid.IntRange(0, 20).Draw(t, "gateway"), ":502"),
				MeterID:  fmt.Sprint("m", rapid.IntRange(0, 80).Draw(t, "meter")),
			})
		}
		placed := Partition(list, 16)
		for _, a := range list {
			for _, b := range list {
				if (a.Endpoint == b.Endpoint || a.MeterID == b.MeterID) && placed[a.ID] != placed[b.ID] {
					t.Fatalf("%v is in partition %d, %v in %d", a, placed[a.ID], b, placed[b.ID])
				}
			}
		}
		digest := Digest(placed)
		slices.Reverse(list)
		if other := Partition(list, 16); Digest(other) != digest {
			t.Fatal("the order in which devices are listed matters")
		}
	})
}

func TestPartitionsAreAlikeLarge(t *testing.T) {
	var list []Device
	for i := range 6400 {
		list = append(list, Device{ID: fmt.Sprint("d", i), Endpoint: fmt.Sprintf("10.0.%d.%d:502", i/250, i%250), MeterID: fmt.Sprint("m", i)})
	}
	count := make([]int, 64)
	for _, p := range Partition(list, 64) {
		count[p]++
	}
	if least, most := slices.Min(count), slices.Max(count); least < 60 || most > 145 {
		t.Errorf("partitions of %d to %d devices; 100 are even", least, most)
	}
	a, b := Partition(list, 64), Partition(list[1:], 64)
	if Digest(a) == Digest(b) {
		t.Error("a device less, and the digest is the same")
	}
}
