package accuracy

import (
	"fmt"
	"math/rand/v2"
)

// Part is which of the host loads are taken, so that weights can be fitted on
// one part and measured on the other.
type Part string

// Parts.
const (
	AllHosts  Part = "all"
	EvenHosts Part = "even"
	OddHosts  Part = "odd"
)

// ReadHosts reads the loads that injections go into, with the records that a
// utility would hold of them: homes as dwellings, the others as offices.
func ReadHosts(homes, others string, part Part) ([]Load, error) {
	if part != AllHosts && part != EvenHosts && part != OddHosts {
		return nil, fmt.Errorf("part %q of the hosts; give all, even or odd", part)
	}
	var hosts []Load
	for _, f := range []struct{ file, use, category string }{
		{homes, "dwelling", "residential"}, {others, "office", "commercial"},
	} {
		if f.file == "" {
			continue
		}
		loads, err := ReadWide(f.file)
		if err != nil {
			return nil, err
		}
		for i := range loads {
			if part == EvenHosts && i%2 == 1 || part == OddHosts && i%2 == 0 {
				continue
			}
			if loads[i].Days < 28 || !(loads[i].MeanKW() > 0.02) {
				continue
			}
			loads[i].DeclaredUse, loads[i].Category = f.use, f.category
			hosts = append(hosts, loads[i])
		}
	}
	return hosts, nil
}

// HostSamples draws Samples, from longer hosts the more of them.
func HostSamples(rng *rand.Rand, hosts []Load, repeats int, curves bool) []Sample {
	var short, long []Load
	for i := range hosts {
		if hosts[i].DeclaredUse == "dwelling" {
			short = append(short, hosts[i])
		} else {
			long = append(long, hosts[i])
		}
	}
	samples := append(Samples(rng, short, repeats, curves), Samples(rng, long, 4*repeats, curves)...)
	for i := range samples {
		if samples[i].Big {
			samples[i].Host += len(short)
		}
	}
	return samples
}
